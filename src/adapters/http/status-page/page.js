/** The status page: asks every two seconds what there is, and changes what it's told to. */
import { find, setText } from './elements.js'
import { Figures } from './figures.js'
import { makeLimit } from './limit.js'
import { makeLists } from './lists.js'
import { isSure, say, sentence, setState } from './notices.js'
import { Refusal, ask, setToken, token } from './server.js'

const INTERVAL_MS = 2000

/** Has the server change something; `tell` says how it went. */
async function change(method, path, { body, tell = say } = {}) {
  try {
    tell((await ask(method, path, { body })).message, false)
  } catch (error) {
    if (error.status === 401) demandToken(error)
    tell(reasonOf(error), true)
    return
  }
  await refresh()
}

function reasonOf(error) {
  if (error instanceof Refusal) return error.message
  return error.name === 'TimeoutError' ? 'Warren does not answer' : 'Warren cannot be reached'
}

function demandToken({ message }) {
  const isWrong = token() !== ''
  find('tokenForm').hidden = false
  find('token').setAttribute('aria-invalid', String(isWrong))
  find('forgetToken').hidden = !isWrong
  setState(isWrong ? 'wrong token' : 'token needed', 'warn', isWrong ? sentence(message) : WANTED)
}

const WANTED =
  'This Warren shows its figures to those who have a token: management.token, or management.read_token to look only.'

find('tokenForm').onsubmit = (event) => {
  event.preventDefault()
  setToken(find('token').value.trim())
  void refresh()
}
find('forgetToken').onclick = () => {
  setToken('')
  find('token').value = ''
  void refresh().then(() => find('token').focus())
}

const figures = new Figures()
const load = (path) => ask('GET', path)

const lists = makeLists({ load, change, isSure })
const limit = makeLimit({ change, isSure })

let isLive = true
find('live').onclick = () => {
  isLive = !isLive
  find('live').setAttribute('aria-pressed', String(isLive))
  setText(find('live'), isLive ? 'Live' : 'Paused')
  if (isLive) void refresh()
}

function showReadiness(ready, summary) {
  const paused = summary.pools.paused
  const blocked = summary.upstreams.blocked
  if (!summary.accepting)
    setState('draining', 'warn', 'No new clients are accepted; Warren ends when those that are in have left.')
  else if (ready.status !== 'ready') setState('not ready', 'bad', sentence(ready.reasons.join('; ')))
  else if (paused > 0)
    setState(
      'paused',
      'warn',
      `${paused} ${paused === 1 ? 'pool is' : 'pools are'} paused: new messages and channels wait.`,
    )
  else if (blocked > 0)
    setState(
      'blocked',
      'warn',
      `The broker blocks publishing on ${blocked} upstream ${blocked === 1 ? 'connection' : 'connections'}.`,
    )
  else setState('ready', 'good')
}

let lastSeen
let running
/** One look at everything; whoever asks meanwhile gets the same. */
function refresh() {
  return (running ??= look().finally(() => (running = undefined)))
}

async function look() {
  try {
    const [summary, clientLimit, history, ready] = await Promise.all([
      ask('GET', '/summary'),
      ask('GET', '/limit'),
      ask('GET', '/limit/history'),
      ask('GET', '/readyz', { accepts: 503 }),
    ])
    figures.show(summary)
    lastSeen = new Date()
    limit.show(clientLimit)
    limit.showHistory(history)
    showReadiness(ready, summary)
    await Promise.all(lists.map((list) => list.refresh()))
    find('token').removeAttribute('aria-invalid')
    find('tokenForm').hidden = token() === ''
    find('forgetToken').hidden = token() === ''
    document.body.classList.remove('locked', 'stale')
  } catch (error) {
    document.body.classList.add('stale')
    if (error.status === 401) return demandToken(error)
    const since = lastSeen === undefined ? '' : ` What you see is from ${lastSeen.toLocaleTimeString()}.`
    setState('no answer', 'bad', `${sentence(reasonOf(error))}${since}`)
  }
}

document.addEventListener('visibilitychange', () => {
  if (isLive && !document.hidden) void refresh()
})
setInterval(() => {
  if (isLive && !document.hidden) void refresh()
}, INTERVAL_MS)
void refresh()

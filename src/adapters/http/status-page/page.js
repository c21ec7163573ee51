/** The status page: asks every two seconds what there is, and changes what it's told to. */
import { exact } from './format.js'
import { find, make, setText } from './elements.js'
import { Figures } from './figures.js'
import { makeLists } from './lists.js'
import { Refusal, ask, setToken, token } from './server.js'

const INTERVAL_MS = 2000
const TOAST_MS = 8000
const MOST_CHANGES = 50

// ---- what is said ----------------------------------------------------------------------------------------------------

let toastTimer
function say(text, isError = false) {
  const toast = find('toast')
  toast.className = isError ? 'error' : ''
  toast.textContent = sentence(text)
  clearTimeout(toastTimer)
  toastTimer = setTimeout(() => (toast.textContent = ''), TOAST_MS)
}

/** The state in a word, and what is wrong in a sentence. A sentence in which only figures have changed isn't read out again. */
function setState(text, tone, reason = '') {
  setText(find('state'), text)
  find('state').className = `pill ${tone}`
  document.title = tone === 'good' ? 'Warren' : `${text} – Warren`
  const banner = find('banner')
  banner.className = tone
  banner.hidden = reason === ''
  setText(banner, reason)
}

/** Asks first; Cancel has the focus. */
function isSure(text, note, verb) {
  const dialog = find('question')
  setText(find('questionText'), text)
  setText(find('questionNote'), note)
  setText(find('yes'), verb)
  return new Promise((resolve) => {
    find('yes').onclick = () => {
      resolve(true)
      dialog.close()
    }
    find('no').onclick = () => dialog.close()
    // The browser tells of a close some time after it: this question may be open by then, and the one before it meant.
    dialog.onclose = () => {
      if (!dialog.open) resolve(false)
    }
    dialog.showModal()
    find('no').focus()
  })
}

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

// ---- token -----------------------------------------------------------------------------------------------------------

function demandToken({ message }) {
  const isWrong = token() !== ''
  find('tokenForm').hidden = false
  find('token').setAttribute('aria-invalid', String(isWrong))
  find('forgetToken').hidden = !isWrong
  setState(isWrong ? 'wrong token' : 'token needed', 'warn', isWrong ? sentence(message) : WANTED)
}

const WANTED =
  'This Warren shows its figures to those who have a token: management.token, or management.read_token to look only.'

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1).replace(/\.?$/, '.')}`
}

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

// ---- figures and lists -----------------------------------------------------------------------------------------------

const figures = new Figures()
const load = (path) => ask('GET', path)

const lists = makeLists({ load, change, isSure })

// ---- the limit -------------------------------------------------------------------------------------------------------

let limitTimer
function tellLimit(text, isError) {
  const message = find('limitMessage')
  message.className = isError ? 'bad' : 'good'
  message.textContent = sentence(text)
  find('newLimit').setAttribute('aria-invalid', String(isError))
  clearTimeout(limitTimer)
  if (isError) return
  find('newLimit').value = ''
  limitTimer = setTimeout(() => (message.textContent = ''), TOAST_MS)
}

find('limitForm').onsubmit = (event) => {
  event.preventDefault()
  void change('PUT', '/limit', { body: { limit: Number(find('newLimit').value) }, tell: tellLimit })
}
find('newLimit').oninput = () => {
  find('newLimit').removeAttribute('aria-invalid')
  find('limitMessage').textContent = ''
}
find('liftLimit').onclick = async () => {
  const note = 'Any number of clients may connect from then on.'
  if (await isSure('Lift the limit on clients?', note, 'Lift it'))
    await change('DELETE', '/limit', { tell: tellLimit })
}

function showLimit({ current_limit: limit, active_connections: active }) {
  const used = `${exact(active)} ${active === 1 ? 'client' : 'clients'}`
  setText(
    find('limit'),
    limit === 0 ? `${used}, not limited` : `${used} of ${exact(limit)} (${percent(active / limit)})`,
  )
}

function percent(part) {
  return `${(part * 100).toFixed(part > 0 && part < 0.1 ? 1 : 0)} %`
}

let shownChanges
function showHistory({ changes }) {
  if (shownChanges === changes.length && changes.length < MOST_CHANGES) return
  shownChanges = changes.length
  find('changes').hidden = changes.length === 0
  const times = changes.length === 1 ? 'once' : `${exact(changes.length)} times`
  setText(find('historyTitle'), `Changed ${times} since the start`)
  const word = (n) => (n === 0 ? 'no limit' : exact(n))
  const head = ['Time', 'From', 'To', 'By'].map((textContent) => make('th', { textContent, scope: 'col' }))
  const rows = changes
    .slice(-MOST_CHANGES)
    .reverse()
    .map(({ time, old, new: to, who }) =>
      make(
        'tr',
        {},
        ...[new Date(time).toLocaleString(), word(old), word(to), who].map((textContent) =>
          make('td', { textContent }),
        ),
      ),
    )
  find('history').replaceChildren(make('thead', {}, make('tr', {}, ...head)), make('tbody', {}, ...rows))
}

// ---- following -------------------------------------------------------------------------------------------------------

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
    const [summary, limit, history, ready] = await Promise.all([
      ask('GET', '/summary'),
      ask('GET', '/limit'),
      ask('GET', '/limit/history'),
      ask('GET', '/readyz', { accepts: 503 }),
    ])
    figures.show(summary)
    lastSeen = new Date()
    showLimit(limit)
    showHistory(history)
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

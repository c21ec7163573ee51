/** The client limit: what it is, the form that changes it, and what it was. */
import { find, make, setText } from './elements.js'
import { exact } from './format.js'
import { sentence } from './notices.js'

const MESSAGE_MS = 8000
const MOST_CHANGES = 50

/** `change` has the server do something and says how that went, and `isSure` asks the person first. */
export function makeLimit({ change, isSure }) {
  let limitTimer
  function tellLimit(text, isError) {
    const message = find('limitMessage')
    message.className = isError ? 'bad' : 'good'
    message.textContent = sentence(text)
    find('newLimit').setAttribute('aria-invalid', String(isError))
    clearTimeout(limitTimer)
    if (isError) return
    find('newLimit').value = ''
    limitTimer = setTimeout(() => (message.textContent = ''), MESSAGE_MS)
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

  return { show: showLimit, showHistory }
}

function percent(part) {
  return `${(part * 100).toFixed(part > 0 && part < 0.1 ? 1 : 0)} %`
}

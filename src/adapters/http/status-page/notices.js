/** What the page tells people, and asks them. */
import { find, setText } from './elements.js'

const TOAST_MS = 8000

let toastTimer

/** Tells in a corner of the page how something went, for a while. */
export function say(text, isError = false) {
  const toast = find('toast')
  toast.className = isError ? 'error' : ''
  toast.textContent = sentence(text)
  clearTimeout(toastTimer)
  toastTimer = setTimeout(() => (toast.textContent = ''), TOAST_MS)
}

/** The state in a word, and what is wrong in a sentence. A sentence that stays as it is isn't read out again. */
export function setState(text, tone, reason = '') {
  setText(find('state'), text)
  find('state').className = `pill ${tone}`
  document.title = tone === 'good' ? 'Warren' : `${text} – Warren`
  const banner = find('banner')
  banner.className = tone
  banner.hidden = reason === ''
  setText(banner, reason)
}

/** Asks whether to go on; resolves with the answer. Cancel has the focus. */
export function isSure(text, note, verb) {
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

/** `text` with a capital letter and a full stop. */
export function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1).replace(/\.?$/, '.')}`
}

/** The management server, as the page asks it. */

const TIMEOUT_MS = 8000
const KEY = 'warren-token'

/** The server said no; `status` is that of HTTP. */
export class Refusal extends Error {
  constructor(message, status) {
    super(message)
    this.status = status
  }
}

/** Kept until the tab is closed. */
export function token() {
  return sessionStorage.getItem(KEY) ?? ''
}

export function setToken(text) {
  if (text === '') sessionStorage.removeItem(KEY)
  else sessionStorage.setItem(KEY, text)
}

/** The answer to a question; `accepts` is a status besides 2xx whose answer is one too. Rejects with {@link Refusal} where the server says no. */
export async function ask(method, path, { body, accepts } = {}) {
  const headers = {}
  if (token() !== '') headers.authorization = `Bearer ${token()}`
  if (body !== undefined) headers['content-type'] = 'application/json'
  const response = await fetch(path.slice(1), {
    method,
    headers,
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const answer = await response.json()
  if (response.ok || response.status === accepts) return answer
  throw new Refusal(answer.error, response.status)
}

/** Asks a management server. */
import { redactUrl } from '../config/upstream-url.js'

/** The server said no. The message is its own. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}

/** There is no server, or it doesn't answer as one. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

export type Json = Readonly<Record<string, unknown>>

const TIMEOUT_MS = 10_000

/** One server, and the token for it. */
export class ManagementClient {
  readonly #url: string
  /** For messages. */
  readonly #shownUrl: string
  readonly #token: string | undefined

  constructor(url: string, token: string | undefined) {
    this.#url = url.replace(/\/+$/, '')
    this.#shownUrl = redactUrl(this.#url)
    this.#token = token
  }

  /** Asks for `path`; `accepts` names statuses besides 2xx whose answer is one too. Rejects with {@link Refusal} or {@link Unreachable}. */
  async ask(method: string, path: string, body?: Json, accepts: readonly number[] = []): Promise<Json> {
    const response = await this.#fetch(method, path, body)
    const answer = await response.json().then(
      (json) => json as Json,
      () => undefined,
    )
    if (answer === undefined)
      throw new Unreachable(`${this.#shownUrl} does not answer like Warren's management server`)
    if (response.ok || accepts.includes(response.status)) return answer
    throw new Refusal(typeof answer['error'] === 'string' ? answer['error'] : `status ${response.status}`)
  }

  async #fetch(method: string, path: string, body: Json | undefined): Promise<Response> {
    try {
      return await fetch(`${this.#url}${path}`, {
        method,
        headers: {
          'x-warren-client': 'cli',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
        },
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    } catch (error) {
      throw new Unreachable(`Failed to connect to management server: ${reasonOf(error)} (${this.#shownUrl})`)
    }
  }
}

function reasonOf(error: unknown): string {
  const { cause, name, message } = error as Error & { cause?: Error & { code?: string } }
  if (name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`
  if (cause?.code === 'ECONNREFUSED') return 'connection refused'
  // Node.js quotes a URL that it doesn't take, with the password in it.
  return cause?.message ?? (name === 'TypeError' ? 'the address cannot be used' : message)
}

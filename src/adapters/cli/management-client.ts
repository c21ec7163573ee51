/** Asks a management server. */
import { redactUrl } from '../config/upstream-url.js'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { text } from 'node:stream/consumers'

/** The server said no. The message is its own. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}

/** There is no server, or it doesn't answer as one. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

/** What was said on the command line, or in the environment, can't be meant. */
export class Misuse extends Error {
  override readonly name = 'Misuse'
}

/** An object of JSON. */
export type Json = Readonly<Record<string, unknown>>

interface HttpAnswer {
  readonly status: number
  readonly body: string
}

const TIMEOUT_MS = 10_000

/** Faults of the network in words. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'no such host',
  ETIMEDOUT: 'no answer',
}

/** One server, and the token for it. */
export class ManagementClient {
  readonly #url: string
  /** For messages. */
  readonly #shownUrl: string
  readonly #token: string | undefined

  /** Throws {@link Misuse}; the message never has the token in it. */
  constructor(url: string, token: string | undefined) {
    if (!URL.canParse(url) || !/^https?:/.test(url))
      throw new Misuse(`${redactUrl(url)} is no address of a server`)
    if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
      throw new Misuse(
        'the token has characters that no token can have: spaces, line ends or others beyond ASCII',
      )
    this.#url = url.replace(/\/+$/, '')
    this.#shownUrl = redactUrl(this.#url)
    this.#token = token
  }

  /** Asks for `path`; `accepts` names statuses besides 2xx whose answer is one too. Rejects with {@link Refusal} or {@link Unreachable}. */
  async ask(method: string, path: string, body?: Json, accepts: readonly number[] = []): Promise<Json> {
    const response = await this.#request(method, path, body).catch((error: unknown) => {
      throw new Unreachable(`Failed to connect to management server: ${reasonOf(error)} (${this.#shownUrl})`)
    })
    const answer = objectIn(response.body)
    if (answer === undefined)
      throw new Unreachable(`${this.#shownUrl} does not answer like Warren's management server`)
    const isFine = response.status >= 200 && response.status < 300
    if (isFine || accepts.includes(response.status)) return answer
    throw new Refusal(typeof answer['error'] === 'string' ? answer['error'] : `status ${response.status}`)
  }

  /** Not by fetch, which refuses to ask on a list of ports. */
  #request(method: string, path: string, body: Json | undefined): Promise<HttpAnswer> {
    const url = new URL(`${this.#url}${path}`)
    const bytes = body === undefined ? undefined : JSON.stringify(body)
    return new Promise((resolve, reject) => {
      const sent = (url.protocol === 'https:' ? requestHttps : requestHttp)(
        url,
        {
          method,
          headers: {
            'x-warren-client': 'cli',
            ...(bytes === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes) }),
            ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
          },
          signal: AbortSignal.timeout(TIMEOUT_MS),
        },
        (response) => {
          const { statusCode: status = 0 } = response
          text(response).then((said) => resolve({ status, body: said }), reject)
        },
      )
      sent.on('error', reject)
      sent.end(bytes)
    })
  }
}

function objectIn(body: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as Json) : undefined
  } catch {
    return undefined
  }
}

function reasonOf(error: unknown): string {
  const { code, cause, message, name } = error as NodeJS.ErrnoException
  if (name === 'TimeoutError' || (cause as Error | undefined)?.name === 'TimeoutError')
    return `no answer within ${TIMEOUT_MS / 1000} s`
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  return REASONS[code ?? ''] ?? message
}

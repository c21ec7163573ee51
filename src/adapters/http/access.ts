/** Who may ask the management server for what. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import type { Secret } from '../../domain/secret.js'

/** `public`: whoever reaches the server. `read`: looks at things. `change`: changes them. */
export type Role = 'public' | 'read' | 'change'

/** What a request says of its caller. */
export interface Caller {
  readonly authorization: string | undefined
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly fetchSite: string | undefined
}

/** Why not. */
export interface Denial {
  readonly status: 401 | 403
  readonly error: string
}

/** The tokens, which may change while the server runs, and the address that is bound. */
export interface AccessSettings {
  readonly address: string
  readonly token: Secret | undefined
  readonly readToken: Secret | undefined
}

/** Judges requests by token, Host and Origin. */
export class Access {
  readonly #settings: AccessSettings
  readonly #address: string

  constructor(settings: AccessSettings) {
    this.#settings = settings
    this.#address = settings.address
  }

  /** Why `caller` may not use a route with this role; undefined when it may. */
  judge(role: Role, caller: Caller): Denial | undefined {
    return this.#judgeHost(caller) ?? this.#judgeOrigin(role, caller) ?? this.#judgeToken(role, caller)
  }

  get #needsToken(): boolean {
    return this.#settings.token !== undefined || this.#settings.readToken !== undefined
  }

  /**
   * A page of another site can have its own name resolve to this address (DNS rebinding), and is then of this site in the eyes of the browser. With tokens
   * that is no use to it, as it has none. Without a Host header it's no browser that asks, but a balancer's health check for example.
   */
  #judgeHost({ host }: Caller): Denial | undefined {
    if (this.#needsToken || host === undefined) return undefined
    const name = hostName(host)
    const isOwn = name !== undefined && (isIP(name) !== 0 || name === 'localhost' || name === this.#address)
    return isOwn ? undefined : { status: 403, error: 'the Host header names another host than this one' }
  }

  /** A browser says where a request comes from; nothing of another site may change anything. */
  #judgeOrigin(role: Role, { host, origin, fetchSite }: Caller): Denial | undefined {
    if (role !== 'change') return undefined
    const isForeign =
      (fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none') ||
      (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`)
    return isForeign ? { status: 403, error: 'requests from other sites may not change anything' } : undefined
  }

  #judgeToken(role: Role, { authorization }: Caller): Denial | undefined {
    if (role === 'public' || !this.#needsToken) return undefined
    const given = /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization ?? '')?.[1]
    if (given === undefined) return { status: 401, error: 'a bearer token is needed' }
    const presented = digest(given)
    // Both are compared whatever the outcome of the first.
    const { token, readToken } = this.#settings
    const mayChange = token !== undefined && timingSafeEqual(presented, digest(token.reveal()))
    const mayRead = readToken !== undefined && timingSafeEqual(presented, digest(readToken.reveal()))
    if (!mayChange && !mayRead) return { status: 401, error: 'the bearer token is wrong' }
    if (role === 'read' || mayChange) return undefined
    return { status: 403, error: 'this token may look, and change nothing' }
  }
}

/** Of equal length, whatever the text is. */
function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}

/** The name in a Host header, without port and brackets. */
function hostName(host: string): string | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::\d*)?$/.exec(host)
  return (match?.[1] ?? match?.[2])?.toLowerCase()
}

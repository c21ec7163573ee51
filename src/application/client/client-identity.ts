/** Who one client is: by what it has said, or by its certificate. */
import { CONTROL_CHARACTERS } from '../../domain/control-characters.js'
import { type ExternalIdentity, NO_CERTIFICATE, identify } from '../../domain/external-identity.js'
import type { ByteStream } from '../ports/byte-stream.js'
import type { Settings } from '../settings.js'

const MOST_NAMES_SHOWN = 3
/** Characters of a connection's name that are kept. */
const LONGEST_NAME = 128

export class ClientIdentity {
  readonly #stream: ByteStream
  readonly #tls: Settings['tls']
  #user: string | undefined
  #certificate: string | undefined
  #connectionName: string | undefined

  constructor(stream: ByteStream, tls: Settings['tls']) {
    this.#stream = stream
    this.#tls = tls
  }

  /** The user that it has logged in as, or tries to. */
  get user(): string | undefined {
    return this.#user
  }

  /** The name in its certificate by which it has logged in. */
  get certificate(): string | undefined {
    return this.#certificate
  }

  /** What it calls its connection, for people: the `connection_name` of its properties, cut where it's long, without control characters. */
  get connectionName(): string | undefined {
    return this.#connectionName
  }

  /** Whether it may log in by its certificate, if it has one that stands for somebody. */
  get offersExternal(): boolean {
    return this.#stream.certificateNames !== undefined && this.#tls.externalLogins.size > 0
  }

  /** Whom its certificate stands for; undefined where it stands for nobody, or there's none. */
  get external(): ExternalIdentity | undefined {
    const { certificateNames } = this.#stream
    if (certificateNames === undefined) return undefined
    return identify(certificateNames, this.#tls.externalName, this.#tls.externalLogins)
  }

  /** The names in its certificate that could stand for somebody; undefined without a certificate. */
  get externalNames(): readonly string[] | undefined {
    const { certificateNames } = this.#stream
    return certificateNames === NO_CERTIFICATE ? undefined : certificateNames?.[this.#tls.externalName]
  }

  /** For logs: the names in a certificate that stands for nobody, of a client that hasn't logged in otherwise. */
  get strangersNames(): readonly string[] | undefined {
    const isKnown = this.#certificate !== undefined || this.#user !== undefined || this.external !== undefined
    return isKnown ? undefined : this.externalNames?.slice(0, MOST_NAMES_SHOWN)
  }

  /** The client has said what it calls its connection. */
  onNamed(name: string): void {
    this.#connectionName = name.slice(0, LONGEST_NAME).replace(CONTROL_CHARACTERS, '?')
  }

  /** The client logs in, by its certificate if `isExternal`. */
  onLogin(user: string, isExternal: boolean): void {
    this.#user = user
    if (isExternal) this.#certificate = this.external?.name
  }
}

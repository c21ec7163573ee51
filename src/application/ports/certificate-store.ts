/** How certificates and keys are had. */
import type { Settings } from '../settings.js'

/** Where the certificates and keys are, and what they are for. */
export type CertificateSettings = Pick<Settings, 'tls' | 'upstreamTls'>

/** What a certificate is there for. */
export type CertificateUse = 'listener' | 'upstream_client' | 'listener_ca' | 'upstream_ca'

/** A certificate that Warren shows, or believes in. */
export interface CertificateInUse {
  readonly use: CertificateUse
  /** Whose it is, in short: its common name, or else its first other name. */
  readonly name: string
  /** Milliseconds since 1970, as the next. */
  readonly notBefore: number
  readonly notAfter: number
  /** Tells it from every other one. */
  readonly fingerprint: string
}

/** The certificates and keys that Warren shows and believes in. */
export interface CertificateStore {
  /** What is in use: first what Warren shows, then what it believes in. */
  readonly inUse: readonly CertificateInUse[]
  /**
   * Reads everything anew as `settings` say, and uses it for connections that are made from then on. Throws a {@link CertificateError} and
   * changes nothing when any of it is of no use.
   */
  load(settings: CertificateSettings): void
}

/** A certificate or key can't be used. The message is one line for the operator and holds no secret. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError'
}

/** EXTERNAL: whose certificate stands for which credentials at the broker. */
import type { Credentials } from './credentials.js'

/** Which name of a certificate counts. */
export type IdentityField = 'common_name' | 'dns' | 'email' | 'uri'

/** The names in a certificate that was verified, in its own order. */
export type CertificateNames = Readonly<Record<IdentityField, readonly string[]>>

/** The names of who was asked for a certificate and has none. */
export const NO_CERTIFICATE: CertificateNames = { common_name: [], dns: [], email: [], uri: [] }

/** What a certificate stands for. */
export interface ExternalIdentity {
  /** The name that was found. */
  readonly name: string
  readonly credentials: Credentials
}

/**
 * The first name of the kind `field` that has a login; undefined when none has. DNS names are compared as DNS does, without regard to
 * case; everything else octet by octet.
 */
export function identify(
  names: CertificateNames,
  field: IdentityField,
  logins: ReadonlyMap<string, Credentials>,
): ExternalIdentity | undefined {
  for (const name of names[field]) {
    const credentials = field === 'dns' ? findDns(name, logins) : logins.get(name)
    if (credentials !== undefined) return { name, credentials }
  }
  return undefined
}

function findDns(name: string, logins: ReadonlyMap<string, Credentials>): Credentials | undefined {
  for (const [known, credentials] of logins)
    if (known.toLowerCase() === name.toLowerCase()) return credentials
  return undefined
}

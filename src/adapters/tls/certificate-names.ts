/** The names in certificates. */
import type { X509Certificate } from 'node:crypto'
import type { CertificateNames } from '../../domain/external-identity.js'

/** The names that may stand for somebody. */
export function namesOf(certificate: X509Certificate): CertificateNames {
  const alternatives = alternativeNames(certificate.subjectAltName ?? '')
  return {
    common_name: commonNames(certificate.subject),
    dns: alternatives.get('DNS') ?? [],
    email: alternatives.get('email') ?? [],
    uri: alternatives.get('URI') ?? [],
  }
}

/** What people call the certificate by. */
export function shortNameOf(certificate: X509Certificate): string {
  const names = namesOf(certificate)
  const name = [...names.common_name, ...names.dns, ...names.uri, ...names.email].at(0)
  return name ?? certificate.subject.replaceAll('\n', ', ')
}

/** Node.js writes one attribute to a line, several of the same name each on its own; with backslashes where RFC 2253 needs them. */
function commonNames(subject: string): string[] {
  return (
    subject
      .split('\n')
      // Attributes that belong together stand on one line.
      .flatMap((line) => line.split(' + '))
      .filter((line) => line.startsWith('CN='))
      .map((line) => line.slice('CN='.length).replace(/\\([0-9A-F]{2})|\\(.)/gi, unescape))
  )
}

function unescape(_: string, hex: string | undefined, character: string): string {
  return hex === undefined ? character : String.fromCharCode(parseInt(hex, 16))
}

/** `DNS:a, URI:"x, y"`: Node.js quotes, as JSON does, what holds a separator. */
function alternativeNames(text: string): Map<string, string[]> {
  const names = new Map<string, string[]>()
  for (const [, type, quoted, plain] of text.matchAll(
    /([A-Za-z ]+):(?:("(?:[^"\\]|\\.)*")|([^,]*))(?:, |$)/g,
  )) {
    const value = quoted === undefined ? plain : (JSON.parse(quoted) as string)
    names.set(type, [...(names.get(type) ?? []), value])
  }
  return names
}

/** Why TLS with a client failed, in the words that an operator needs. */
import type { X509Certificate } from 'node:crypto'
import { readableTime } from '../../domain/calendar.js'
import { shortNameOf } from './certificate-names.js'

const NOT_TLS = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'])
const HTTP = new Set(['ERR_SSL_HTTP_REQUEST', 'ERR_SSL_HTTPS_PROXY_REQUEST'])
const NO_COMMON_VERSION = new Set([
  'ERR_SSL_UNSUPPORTED_PROTOCOL',
  'ERR_SSL_VERSION_TOO_LOW',
  'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
])
/** What clients say of our certificate, as OpenSSL names the alert. */
const OURS_REFUSED: Readonly<Record<string, string>> = {
  UNKNOWN_CA: "it doesn't know who issued it",
  CERTIFICATE_EXPIRED: 'it has expired',
  BAD_CERTIFICATE: 'it is bad, or for another name',
  CERTIFICATE_UNKNOWN: "it doesn't say why",
}

/** Why a handshake has failed; undefined where the client has just left. */
export function wordsForClientFailure(error: Error): string | undefined {
  const { code = '', reason } = error as { code?: string; reason?: string }
  if (code === 'ECONNRESET') return undefined
  if (NOT_TLS.has(code)) return 'a client without TLS on the TLS port'
  if (HTTP.has(code)) return 'HTTP without TLS on the TLS port'
  if (NO_COMMON_VERSION.has(code)) return 'TLS: no version in common with the client (tls.min_version)'
  if (code === 'ERR_SSL_NO_SHARED_CIPHER') return 'TLS: no cipher in common with the client'
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE')
    return 'TLS: the client has no certificate, and tls.client_certificates requires one'
  const alert = /ALERT_([A-Z_]+)$/.exec(code)?.[1]
  const refusal = alert === undefined ? undefined : OURS_REFUSED[alert]
  if (refusal !== undefined) return `TLS: the client doesn't take our certificate: ${refusal}`
  if (alert !== undefined)
    return `TLS: the client ended the handshake with the alert ${alert.toLowerCase().replaceAll('_', ' ')}`
  return `TLS: ${reason ?? (code === '' ? error.message : code)}`
}

/** Why the certificate that a client has shown isn't taken; `code` is Node's. */
export function wordsForClientCertificate(code: string, certificate: X509Certificate | undefined): string {
  const whose =
    certificate === undefined
      ? 'the client certificate'
      : `the certificate of ${printable(shortNameOf(certificate))}`
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return `TLS: ${whose} has expired${certificate === undefined ? '' : ` (on ${readableTime(Date.parse(certificate.validTo))})`}`
    case 'CERT_NOT_YET_VALID':
      return `TLS: ${whose} isn't valid yet`
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `TLS: ${whose} wasn't issued by a CA in tls.ca`
    case 'CERT_REVOKED':
      return `TLS: ${whose} was revoked`
    case 'INVALID_PURPOSE':
      return `TLS: ${whose} isn't one for clients`
    default:
      return `TLS: ${whose} can't be verified: ${code}`
  }
}

/** Names of certificates come from outside. */
export function printable(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]/g, '?')
  return clean.length > 100 ? `${clean.slice(0, 100)}…` : clean
}

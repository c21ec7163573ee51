/** Why TLS to the broker failed, in the words that an operator needs. */
import type { PeerCertificate } from 'node:tls'
import { readableTime } from '../../domain/calendar.js'
import { codeOf } from '../node-error.js'
import { printable } from './client-words.js'

/** What was dialled. */
export interface Dialled {
  /** `host:port`, for people. */
  readonly node: string
  /** The name that the certificate must have. */
  readonly expected: string
  /** Whether Warren had a certificate to show. */
  readonly hasClientCertificate: boolean
}

const NOT_TLS = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_RECORD_LAYER_FAILURE',
])
const NO_COMMON_VERSION = new Set(['ERR_SSL_UNSUPPORTED_PROTOCOL', 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'])
/** What the broker says of our certificate, as OpenSSL names the alert. */
const OURS_REFUSED: Readonly<Record<string, string>> = {
  UNKNOWN_CA: 'it does not know who issued it',
  CERTIFICATE_EXPIRED: 'it has expired',
  CERTIFICATE_REVOKED: 'it was revoked',
  BAD_CERTIFICATE: 'it is bad',
  CERTIFICATE_UNKNOWN: 'it does not say why',
  UNSUPPORTED_CERTIFICATE: 'its kind is not supported',
  ACCESS_DENIED: 'access denied',
  DECRYPT_ERROR: 'its signature is wrong',
}

/** Why the certificate that the broker has shown isn't taken; `code` is Node's. */
export function wordsForCertificate(
  code: string,
  certificate: PeerCertificate,
  { node, expected }: Dialled,
  now = Date.now(),
): string {
  const whose = `TLS: the certificate of ${node}`
  switch (code) {
    case 'CERT_HAS_EXPIRED': {
      const [culprit, isOwn] = findInChain(certificate, ({ valid_to }) => Date.parse(valid_to) < now)
      return isOwn
        ? `${whose} expired on ${readableTime(Date.parse(culprit.valid_to))}`
        : `${whose} was issued by ${nameOf(culprit.subject)}, whose own certificate expired on ${readableTime(Date.parse(culprit.valid_to))}`
    }
    case 'CERT_NOT_YET_VALID': {
      const [culprit, isOwn] = findInChain(certificate, ({ valid_from }) => Date.parse(valid_from) > now)
      return `${whose}${isOwn ? '' : ` was issued by ${nameOf(culprit.subject)}, whose own certificate`} is not valid before ${readableTime(Date.parse(culprit.valid_from))}`
    }
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return `${whose} is self-signed (${nameOf(certificate.subject)}) and not in upstream_tls.ca`
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `${whose} was issued by an unknown CA (${nameOf(certificate.issuer)}); upstream_tls.ca says which are known`
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `${whose} is for another name: expected ${expected}, it has ${namesIn(certificate)}`
    case 'CERT_SIGNATURE_FAILURE':
      return `${whose} has a wrong signature: it wasn't issued by the CA (${nameOf(certificate.issuer)}) in upstream_tls.ca`
    case 'INVALID_PURPOSE':
      return `${whose} isn't one for servers`
    default:
      return `${whose} can't be verified: ${code}`
  }
}

/** Why the handshake, or what follows it, has failed. Errors that aren't about TLS are named as they are. */
export function wordsForFailure(error: Error, { node, hasClientCertificate }: Dialled): string {
  const code = codeOf(error) ?? ''
  if (NOT_TLS.has(code)) return `TLS: ${node} does not speak TLS; is that its plain port?`
  if (NO_COMMON_VERSION.has(code))
    return `TLS: no version of TLS in common with ${node}; Warren speaks 1.2 and 1.3`
  if (code.endsWith('ALERT_CERTIFICATE_REQUIRED'))
    return `TLS: ${node} requires a client certificate: upstream_tls.client_cert and client_key`
  if (code.endsWith('ALERT_HANDSHAKE_FAILURE'))
    return hasClientCertificate
      ? `TLS: ${node} refused the handshake: no cipher in common, or it does not take our client certificate`
      : `TLS: ${node} refused the handshake: no cipher in common, or it requires a client certificate (upstream_tls.client_cert)`
  const alert = /ALERT_([A-Z_]+)$/.exec(code)?.[1]
  const refusal = alert === undefined ? undefined : OURS_REFUSED[alert]
  if (refusal !== undefined && hasClientCertificate)
    return `TLS: ${node} does not take our client certificate: ${refusal}`
  if (alert !== undefined)
    return `TLS: ${node} ended the connection with the alert ${alert.toLowerCase().replaceAll('_', ' ')}`
  const reason = (error as { reason?: string }).reason
  if (code.startsWith('ERR_SSL_')) return `TLS: with ${node}: ${reason ?? code}`
  return error.message
}

/** The broker has ended the connection behind the handshake, and nothing has come of it. */
export function wordsForSilentEnd(how: 'cut' | 'closed', { node, hasClientCertificate }: Dialled): string {
  const may = hasClientCertificate
    ? 'it may not take our client certificate'
    : 'it may require a client certificate (upstream_tls.client_cert)'
  return `TLS: ${node} ${how} the connection right after the handshake; ${may}`
}

/** OpenSSL says which error, but not of which certificate in the chain. */
function findInChain(
  leaf: PeerCertificate,
  isCulprit: (certificate: PeerCertificate) => boolean,
): [PeerCertificate, boolean] {
  let certificate = leaf
  for (let depth = 0; depth < 10 && !isCulprit(certificate); depth++) {
    const issuer = (certificate as { issuerCertificate?: PeerCertificate }).issuerCertificate
    if (issuer === undefined || issuer === certificate) return [leaf, true]
    certificate = issuer
  }
  return [certificate, certificate === leaf]
}

function nameOf(subject: PeerCertificate['subject'] | undefined): string {
  const fields = subject as Record<string, string | string[] | undefined> | undefined
  const name = fields?.['CN'] ?? fields?.['O'] ?? fields?.['OU']
  return name === undefined ? 'no name' : printable([name].flat()[0])
}

function namesIn({ subject, subjectaltname }: PeerCertificate): string {
  return subjectaltname === undefined
    ? nameOf(subject)
    : printable(subjectaltname.replace(/(DNS|IP Address):/g, ''))
}

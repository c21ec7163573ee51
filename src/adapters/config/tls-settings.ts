/** Makes {@link TlsSettings} and {@link UpstreamTlsSettings} of configuration values, and looks for what doesn't go together in them. */
import type {
  ClientCertificates,
  Settings,
  TlsSettings,
  UpstreamTlsSettings,
} from '../../application/settings.js'
import { Secret } from '../../domain/secret.js'
import type { Sources } from './given-value.js'
import { parseExternalLogins } from './logins.js'
import type { Problem } from './problem.js'
import type { ConfigurationKey, ConfigurationValues } from './schema.js'
import { type TextList, itemsOf } from './text-list.js'

/** The `tls` section, for the side of the clients. */
export function tlsSettings(values: ConfigurationValues): TlsSettings {
  const { tls } = values
  const keys = sourcesIn(tls.key)
  return {
    enabled: tls.enabled,
    port: tls.port,
    certificates: sourcesIn(tls.cert).map((cert, at) => ({
      cert: new Secret(cert),
      key: new Secret(keys[at] ?? ''),
    })),
    ca: tls.ca === '' ? undefined : new Secret(tls.ca),
    clientCertificates: clientCertificates(values),
    minVersion: tls.min_version,
    externalName: tls.external_name,
    externalLogins: parseExternalLogins(tls.external_logins),
  }
}

/** The `upstream_tls` section, for the side of the broker. */
export function upstreamTlsSettings({ upstream_tls: upstream }: ConfigurationValues): UpstreamTlsSettings {
  const { ca, client_cert: cert, client_key: key, server_name: name } = upstream
  return {
    ca: ca === '' ? undefined : new Secret(ca),
    client: cert === '' ? undefined : { cert: new Secret(cert), key: new Secret(key) },
    serverName: name === '' ? undefined : name,
    skipVerify: upstream.skip_verify,
  }
}

/** What contradicts each other. */
export function tlsContradictions(values: ConfigurationValues, sources: Sources): Problem[] {
  const { listen, tls, upstream_tls: upstream } = values
  const problems: Problem[] = []
  /** `others`: keys that count too, but aren't to blame. */
  const refuse = (
    isWrong: boolean,
    key: ConfigurationKey,
    reason: string,
    others: readonly ConfigurationKey[],
  ): void => {
    if (!isWrong) return
    // "from default" says nothing of a value that nobody gave.
    const from = sources[key] === 'default' ? '' : ` from ${sources[key]}`
    problems.push({ keys: [key, ...others], line: `${key}${from}: ${reason}` })
  }
  refuse(!listen.enabled && !tls.enabled, 'listen.enabled', 'no client could connect without tls.enabled', [
    'tls.enabled',
  ])
  const [certificates, keys] = [sourcesIn(tls.cert).length, sourcesIn(tls.key).length]
  refuse(tls.enabled && certificates === 0, 'tls.cert', 'must be given, since tls.enabled is true', [
    'tls.enabled',
  ])
  refuse(tls.enabled && certificates + keys === 0, 'tls.key', 'must be given too', [
    'tls.cert',
    'tls.enabled',
  ])
  const lacksCertificate = certificates === 0 && keys > 0 && !tls.enabled
  refuse(lacksCertificate, 'tls.cert', 'must be given, since there is a tls.key', ['tls.key'])
  refuse(keys === 0 && certificates > 0, 'tls.key', 'must be given, since there is a tls.cert', ['tls.cert'])
  refuse(
    certificates !== keys && certificates > 0 && keys > 0,
    'tls.key',
    `each certificate needs its key: tls.cert names ${certificates}, and tls.key ${keys}`,
    ['tls.cert'],
  )
  const asks = clientCertificates(values) !== 'none'
  refuse(asks && tls.ca === '', 'tls.client_certificates', 'needs tls.ca, which says who may issue them', [
    'tls.ca',
  ])
  refuse(
    !asks && sourcesIn(tls.external_logins).length > 0,
    'tls.external_logins',
    'needs tls.client_certificates: EXTERNAL is about the certificates of clients',
    ['tls.client_certificates', 'tls.ca'],
  )
  refuse(
    (upstream.client_cert === '') !== (upstream.client_key === ''),
    upstream.client_cert === '' ? 'upstream_tls.client_cert' : 'upstream_tls.client_key',
    `must be given, since there is ${upstream.client_cert === '' ? 'an upstream_tls.client_key' : 'an upstream_tls.client_cert'}`,
    ['upstream_tls.client_cert', 'upstream_tls.client_key'],
  )
  return problems
}

/** What is dangerous, or has no effect; one line each. */
export function tlsWarnings(
  { tls, upstream_tls: upstream }: ConfigurationValues,
  sources: Sources,
  endpoints: Settings['upstream']['endpoints'],
): string[] {
  const warnings: string[] = []
  const isUsed = endpoints.some((endpoint) => endpoint.tls === true)
  if (upstream.skip_verify && isUsed)
    warnings.push(
      `upstream_tls.skip_verify from ${sources['upstream_tls.skip_verify']}: THE BROKER'S CERTIFICATE IS NOT VERIFIED: anybody on the way can pose as the broker and read passwords and messages`,
    )
  if (!isUsed)
    for (const key of ['ca', 'client_cert', 'server_name'] as const)
      if (upstream[key] !== '')
        warnings.push(
          `upstream_tls.${key} from ${sources[`upstream_tls.${key}`]}: not used, since upstream.url doesn't say amqps:// and upstream_tls.enabled is false`,
        )
  if (!tls.enabled && sourcesIn(tls.cert).length > 0)
    warnings.push(`tls.cert from ${sources['tls.cert']}: not used, since tls.enabled is false`)
  return warnings
}

function clientCertificates({ tls }: ConfigurationValues): ClientCertificates {
  if (tls.client_certificates !== 'auto') return tls.client_certificates
  return tls.ca === '' ? 'none' : 'required'
}

/** PEM has no commas, nor has base64. */
function sourcesIn(list: TextList): string[] {
  return itemsOf(list, ',')
}

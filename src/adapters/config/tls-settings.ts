/** Makes {@link TlsSettings} and {@link UpstreamTlsSettings} of configuration values, and looks for what doesn't go together in them. */
import type {
  ClientCertificates,
  Settings,
  TlsSettings,
  UpstreamTlsSettings,
} from '../../application/settings.js'
import { Secret } from '../../domain/secret.js'
import { parseExternalLogins } from './external-logins.js'
import type { Source } from './given-value.js'
import type { ConfigurationKey, ConfigurationValues, TextList } from './schema.js'

type Sources = Readonly<Record<ConfigurationKey, Source>>

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

export function upstreamTlsSettings({ upstream_tls: upstream }: ConfigurationValues): UpstreamTlsSettings {
  const { ca, client_cert: cert, client_key: key, server_name: name } = upstream
  return {
    ca: ca === '' ? undefined : new Secret(ca),
    client: cert === '' ? undefined : { cert: new Secret(cert), key: new Secret(key) },
    serverName: name === '' ? undefined : name,
    skipVerify: upstream.skip_verify,
  }
}

/** One line for each contradiction, without secrets. */
export function tlsContradictions(values: ConfigurationValues, sources: Sources): string[] {
  const { listen, tls, upstream_tls: upstream } = values
  const problems: string[] = []
  const refuse = (isWrong: boolean, key: ConfigurationKey, reason: string): void => {
    if (isWrong) problems.push(`${key} from ${sources[key]}: ${reason}`)
  }
  refuse(!listen.enabled && !tls.enabled, 'listen.enabled', 'no client could connect without tls.enabled')
  const [certificates, keys] = [sourcesIn(tls.cert).length, sourcesIn(tls.key).length]
  refuse(tls.enabled && certificates === 0, 'tls.cert', 'must be given, since tls.enabled is true')
  refuse(
    certificates !== keys,
    'tls.key',
    `must be as many as tls.cert: there are ${keys} for ${certificates}`,
  )
  const asks = clientCertificates(values) !== 'none'
  refuse(asks && tls.ca === '', 'tls.client_certificates', 'needs tls.ca, which says who may issue them')
  refuse(
    !asks && sourcesIn(tls.external_logins).length > 0,
    'tls.external_logins',
    'needs tls.client_certificates: EXTERNAL is about the certificates of clients',
  )
  refuse(
    (upstream.client_cert === '') !== (upstream.client_key === ''),
    upstream.client_cert === '' ? 'upstream_tls.client_cert' : 'upstream_tls.client_key',
    'certificate and key must be given together',
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
  return (typeof list === 'string' ? [list] : list)
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '')
}

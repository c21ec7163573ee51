/** What no single key about TLS can tell. */
import type { ClientCertificates, Settings } from '../../application/settings.js'
import type { Sources } from './given-value.js'
import type { ConfigurationKey, ConfigurationValues, TextList } from './schema.js'

/** One line for each contradiction between the keys about TLS, without secrets. */
export function tlsContradictions(values: ConfigurationValues, sources: Sources): string[] {
  const { listen, tls, upstream_tls: upstream } = values
  const problems: string[] = []
  const refuse = (key: ConfigurationKey, reason: string): void => {
    problems.push(`${key} from ${sources[key]}: ${reason}`)
  }
  if (!listen.enabled && !tls.enabled) refuse('listen.enabled', 'no client could connect without tls.enabled')
  const [certificates, keys] = [pemSourcesIn(tls.cert).length, pemSourcesIn(tls.key).length]
  if (tls.enabled && certificates === 0) refuse('tls.cert', 'must be given, since tls.enabled is true')
  if (certificates !== keys)
    refuse('tls.key', `must be as many as tls.cert: there are ${keys} for ${certificates}`)
  const asks = clientCertificates(values) !== 'none'
  if (asks && tls.ca === '') refuse('tls.client_certificates', 'needs tls.ca, which says who may issue them')
  if (!asks && pemSourcesIn(tls.external_logins).length > 0)
    refuse(
      'tls.external_logins',
      'needs tls.client_certificates: EXTERNAL is about the certificates of clients',
    )
  if ((upstream.client_cert === '') !== (upstream.client_key === ''))
    refuse(
      upstream.client_cert === '' ? 'upstream_tls.client_cert' : 'upstream_tls.client_key',
      'certificate and key must be given together',
    )
  return problems
}

/** What is set and has no effect, or one that nobody may overlook. */
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
  if (!tls.enabled && pemSourcesIn(tls.cert).length > 0)
    warnings.push(`tls.cert from ${sources['tls.cert']}: not used, since tls.enabled is false`)
  return warnings
}

/** What `auto` means here. */
export function clientCertificates({ tls }: ConfigurationValues): ClientCertificates {
  if (tls.client_certificates !== 'auto') return tls.client_certificates
  return tls.ca === '' ? 'none' : 'required'
}

/** One after the other: PEM has no commas, nor has base64. */
export function pemSourcesIn(list: TextList): string[] {
  return (typeof list === 'string' ? [list] : list)
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '')
}

/** The section `upstream_tls`: TLS with the broker. */
import type { Section } from './entry.js'
import { pem, trueOrFalse } from './kinds.js'

export interface UpstreamTlsValues {
  enabled: boolean
  ca: string
  client_cert: string
  client_key: string
  server_name: string
  skip_verify: boolean
}

export const upstreamTls: Section<UpstreamTlsValues> = {
  enabled: trueOrFalse(
    false,
    'Whether Warren speaks TLS to the broker also where upstream.url says amqp:// rather than amqps://.',
  ),
  ca: pem(
    "Certificates of those who may have issued the broker's; without them, those that Node.js knows.",
    'AMQP_UPSTREAM_CA',
  ),
  client_cert: pem('Certificate, with its chain, that Warren shows the broker.', 'AMQP_UPSTREAM_CLIENT_CERT'),
  client_key: pem('Private key of upstream_tls.client_cert.', 'AMQP_UPSTREAM_CLIENT_KEY'),
  server_name: {
    doc: "The name that the broker's certificate must have and that Warren asks for (SNI), if it isn't the host in upstream.url.",
    format: 'host_or_none',
    default: '',
    allowed: 'a host name or an IP address, or empty',
    placeholder: 'name',
  },
  skip_verify: trueOrFalse(
    false,
    "Whether Warren takes any certificate for the broker's. Then anybody on the way can read passwords and messages.",
  ),
}

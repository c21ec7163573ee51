/** The section `listen`: where clients come in. */
import type { TextList } from '../text-list.js'
import type { Section } from './entry.js'
import { address, list, port, trueOrFalse } from './kinds.js'

export interface ListenValues {
  address: string
  port: number
  enabled: boolean
  proxy_protocol_from: TextList
}

export const listen: Section<ListenValues> = {
  address: address('0.0.0.0', 'Address on which clients are accepted.'),
  port: port(5673, 'Port on which clients are accepted without TLS'),
  enabled: trueOrFalse(true, 'Whether clients are accepted without TLS.'),
  proxy_protocol_from: list(
    'networks',
    'IP addresses or networks such as 10.0.0.0/8',
    'Networks of the proxies in front of Warren. Every connection from there must begin with a PROXY protocol header (version 1 or 2); from elsewhere none may.',
  ),
}

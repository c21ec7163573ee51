/** The section `management`: the HTTP server for operators. */
import type { Section } from './entry.js'
import { LARGEST_SHORT, address, token, trueOrFalse, wholeNumberOrAuto } from './kinds.js'

export interface ManagementValues {
  enabled: boolean
  address: string
  port: number | 'auto'
  token: string
  read_token: string
}

export const management: Section<ManagementValues> = {
  enabled: trueOrFalse(true, 'Whether there is a management server: status page, HTTP interface, metrics.'),
  address: address(
    '127.0.0.1',
    'Address of the management server; any but a loopback address needs a token.',
  ),
  port: wholeNumberOrAuto(
    'auto',
    { minimum: 0, maximum: LARGEST_SHORT },
    'Port of the management server; auto is listen.port + 1000 where that is a port, 0 lets the system choose one.',
    'port',
  ),
  token: token('Bearer token that callers need to look at things and to change them.'),
  read_token: token('Bearer token with which callers can only look.'),
}

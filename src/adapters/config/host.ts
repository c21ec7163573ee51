/** What can name a host in the configuration. */
import { isIP } from 'node:net'

/** Says whether `text` can name a host: an IPv4 or IPv6 address without brackets, or a host name. Nothing is looked up. */
export function isHost(text: string): boolean {
  // Digits and dots alone are an IPv4 address that went wrong; a resolver would take some of them for another address.
  return isIP(text) !== 0 || (/^[a-z\d_]([a-z\d._-]*[a-z\d_.])?$/i.test(text) && !/^[\d.]+$/.test(text))
}

/** Reads lists of IP networks. */
import { isIP } from 'node:net'
import { type TextList, itemsOf } from './text-list.js'

/**
 * Reads addresses and networks such as `10.0.0.0/8`, separated by commas or in a list; an address alone is a network of its own. Throws an
 * Error that quotes what is wrong.
 */
export function parseNetworks(given: TextList): string[] {
  return itemsOf(given, ',').map(parseNetwork)
}

function parseNetwork(text: string): string {
  const [, address, prefix] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const bits = { 4: 32, 6: 128 }[isIP(address ?? '')]
  if (bits === undefined || Number(prefix ?? bits) > bits)
    throw new Error(
      `must be IP addresses or networks such as 10.0.0.0/8; ${JSON.stringify(text.slice(0, 50))} is neither`,
    )
  return `${address}/${prefix ?? bits}`
}

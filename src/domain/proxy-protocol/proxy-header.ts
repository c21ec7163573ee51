/**
 * The header by which a proxy says on whose behalf it connects: the PROXY protocol, versions 1 and 2, as its specification
 * (haproxy.org, doc/proxy-protocol.txt) has it. Bytes in, at any split; an address out.
 */

/** What the header has told. */
export type ProxyHeader =
  /** The client's address, as `address:port`. */
  | { readonly kind: 'proxied'; readonly address: string }
  /** The proxy speaks for itself (a health check), or doesn't know for whom. */
  | { readonly kind: 'local' }
  /** The bytes aren't a header; `reason` is for people. */
  | { readonly kind: 'malformed'; readonly reason: string }

const SIGNATURE = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10)
const V1_BEGIN = Uint8Array.of(0x50, 0x52, 0x4f, 0x58, 0x59, 0x20)
/** The specification's bound, the line end included. */
const V1_MOST = 107
/** Signature, version and command, family, length. */
const V2_FIXED = 16
const INET_BYTES = 12
const INET6_BYTES = 36
const CR = 13
const LF = 10

/** Reads one header. What follows it is none of its business, and stays with the caller. */
export class ProxyHeaderReader {
  /** As much of the header as can matter: TLVs behind the addresses are counted, not kept. */
  readonly #bytes = new Uint8Array(Math.max(V1_MOST, V2_FIXED + INET6_BYTES))
  #kept = 0
  /** How many bytes belong to the header, once that is known. */
  #length: number | undefined
  #seen = 0
  #result: ProxyHeader | undefined

  /** What was read, once all of it has come. */
  get result(): ProxyHeader | undefined {
    return this.#result
  }

  /** Takes the bytes that came next; returns how many of them belong to the header. Once there is a {@link result}, none does. */
  push(chunk: Uint8Array): number {
    let taken = 0
    while (taken < chunk.length && this.#result === undefined) {
      // Whether a byte ends the header depends on it alone until the length is known; from then on whole pieces are skipped.
      const piece = this.#length === undefined ? 1 : Math.min(this.#length - this.#seen, chunk.length - taken)
      this.#keep(chunk.subarray(taken, taken + piece))
      taken += piece
      this.#judge()
    }
    return taken
  }

  #keep(piece: Uint8Array): void {
    const fitting = piece.subarray(0, this.#bytes.length - this.#kept)
    this.#bytes.set(fitting, this.#kept)
    this.#kept += fitting.length
    this.#seen += piece.length
  }

  #judge(): void {
    const at = this.#seen - 1
    if (this.#length !== undefined) {
      if (this.#seen === this.#length) this.#result = readV2(this.#bytes)
    } else if (at < SIGNATURE.length && this.#bytes[0] === SIGNATURE[0]) {
      if (this.#bytes[at] !== SIGNATURE[at]) this.#refuse('the connection does not begin with a PROXY header')
    } else if (this.#bytes[0] === SIGNATURE[0]) {
      if (this.#seen === V2_FIXED) this.#onFixedPart()
    } else if (at < V1_BEGIN.length) {
      if (this.#bytes[at] !== V1_BEGIN[at]) this.#refuse('the connection does not begin with a PROXY header')
    } else if (this.#bytes[at] === LF) {
      this.#result = readV1(this.#bytes.subarray(0, this.#seen))
    } else if (this.#seen === V1_MOST) {
      this.#refuse('its PROXY header has no end')
    }
  }

  #onFixedPart(): void {
    this.#length = V2_FIXED + at16(this.#bytes, 14)
    const version = this.#bytes[12] >> 4
    if (version !== 2) this.#refuse(`its PROXY header is of version ${version}`)
    else if (this.#length === V2_FIXED) this.#result = readV2(this.#bytes)
  }

  #refuse(reason: string): void {
    this.#result = { kind: 'malformed', reason }
  }
}

/** `PROXY TCP4 192.0.2.1 192.0.2.2 40000 5672\r\n` */
function readV1(line: Uint8Array): ProxyHeader {
  if (line[line.length - 2] !== CR) return { kind: 'malformed', reason: 'its PROXY header has no end' }
  const text = String.fromCharCode(...line.subarray(0, line.length - 2))
  const [, protocol, ...rest] = text.split(' ')
  if (protocol === 'UNKNOWN') return { kind: 'local' }
  const [source, destination, sourcePort, destinationPort] = rest
  const hostOf = protocol === 'TCP4' ? hostOfIPv4 : protocol === 'TCP6' ? hostOfIPv6 : () => undefined
  const host = rest.length === 4 ? hostOf(source) : undefined
  if (
    host === undefined ||
    hostOf(destination) === undefined ||
    !isPort(sourcePort) ||
    !isPort(destinationPort)
  )
    return { kind: 'malformed', reason: 'its PROXY header makes no sense' }
  return proxied(host, Number(sourcePort))
}

function readV2(bytes: Uint8Array): ProxyHeader {
  const command = bytes[12] & 0x0f
  if (command > 1) return { kind: 'malformed', reason: `its PROXY header has the command ${command}` }
  if (command === 0) return { kind: 'local' }
  const length = at16(bytes, 14)
  const family = bytes[13]
  const [isInet, isInet6] = [family === 0x11, family === 0x21]
  // Unix sockets, datagrams and what is unspecified name nobody on the network.
  if (!isInet && !isInet6) return { kind: 'local' }
  if (length < (isInet ? INET_BYTES : INET6_BYTES))
    return { kind: 'malformed', reason: 'its PROXY header is too short for its addresses' }
  if (isInet) return proxied(textOfIPv4(bytes.subarray(16, 20)), at16(bytes, 24))
  return proxied(hostIn(bytes.subarray(16, 32)), at16(bytes, 48))
}

function proxied(host: string, port: number): ProxyHeader {
  return { kind: 'proxied', address: `${host}:${port}` }
}

function at16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1]
}

function isPort(text: string): boolean {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535
}

/** One address is one text, however the proxy has spelled it; undefined if it's none. */
function hostOfIPv4(text: string): string | undefined {
  const octets = octetsOfIPv4(text)
  return octets && textOfIPv4(octets)
}

function hostOfIPv6(text: string): string | undefined {
  const octets = octetsOfIPv6(text)
  return octets && hostIn(octets)
}

/** Of the octets of IPv6. */
function hostIn(octets: Uint8Array): string {
  return isMapped(octets) ? textOfIPv4(octets.subarray(12)) : `[${textOfIPv6(octets)}]`
}

function octetsOfIPv4(text: string): Uint8Array | undefined {
  if (!/^(\d{1,3}\.){3}\d{1,3}$/.test(text)) return undefined
  const octets = text.split('.').map(Number)
  return octets.every((octet) => octet <= 255) ? Uint8Array.from(octets) : undefined
}

/** Of eight groups of hexadecimal digits one run may be left out; the last two may be an IPv4 address. */
function octetsOfIPv6(text: string): Uint8Array | undefined {
  const [head, tail, ...more] = text.split('::')
  const front = octetsOfGroups(head, tail === undefined)
  const back = octetsOfGroups(tail ?? '', true)
  if (front === undefined || back === undefined || more.length > 0) return undefined
  const missing = 16 - front.length - back.length
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined
  const octets = new Uint8Array(16)
  octets.set(front)
  octets.set(back, 16 - back.length)
  return octets
}

/** `isEnd`: an IPv4 address may stand at its end. */
function octetsOfGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return []
  const groups = text.split(':')
  const octets = groups.flatMap((group, at): number[] => {
    const isLast = isEnd && at === groups.length - 1
    if (/^[\da-f]{1,4}$/i.test(group)) return [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]
    return [...((isLast && octetsOfIPv4(group)) || [NaN])]
  })
  return octets.includes(NaN) ? undefined : octets
}

function textOfIPv4(bytes: Uint8Array): string {
  return bytes.join('.')
}

/** An IPv4 address in the form of IPv6: `::ffff:192.0.2.1`. */
function isMapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every((octet) => octet === 0) && at16(bytes, 10) === 0xffff
}

/** As RFC 5952 writes it: the longest run of two or more zero groups is left out, the first of several. */
function textOfIPv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, at) => at16(bytes, at * 2))
  let run = { at: 0, length: 1 }
  groups.forEach((_, at) => {
    let length = 0
    while (groups[at + length] === 0) length++
    if (length > run.length) run = { at, length }
  })
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  return run.length === 1 ? hex(0, 8) : `${hex(0, run.at)}::${hex(run.at + run.length, 8)}`
}

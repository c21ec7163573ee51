/** What a client seems to speak that doesn't speak AMQP 0-9-1, so that an operator finds it. */

const HTTP = /^(GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|CONNECT|TRACE|PRI) /
const TLS_HANDSHAKE = 0x16
const TLS_MAJOR_VERSION = 3

/** A short description of the protocol that begins with `bytes`; never repeats more than eight of them. */
export function describeProtocol(bytes: Uint8Array): string {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, 8))
  if (bytes[0] === TLS_HANDSHAKE && bytes[1] === TLS_MAJOR_VERSION) return 'TLS on the plain port'
  if (text.startsWith('AMQP')) return describeAmqp(bytes)
  if (HTTP.test(text)) return 'HTTP'
  if (text.startsWith('PROXY ') || text.startsWith('\r\n\r\n\0\r\nQ')) return 'the PROXY protocol'
  if (bytes[0] === 0x10 && text.includes('MQ')) return 'MQTT'
  return `unknown bytes ${[...bytes.subarray(0, 8)].map((octet) => octet.toString(16).padStart(2, '0')).join(' ')}`
}

function describeAmqp(bytes: Uint8Array): string {
  const [id, major, minor, revision] = bytes.subarray(4, 8)
  // The headers of AMQP 0-9 and 0-10 are `1 1 0 9` and `1 1 0 10`.
  if (major === 1 && minor === 0 && revision === 0) return id === 3 ? 'AMQP 1.0 with SASL' : 'AMQP 1.0'
  return `AMQP with the version octets ${[id, major, minor, revision].filter((octet) => octet !== undefined).join(' ')}`
}

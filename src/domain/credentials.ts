/** Who a client says it is, in a form that no log, error or inspection can give away. */
import { ByteReader, MalformedBytes } from './amqp/byte-reader.js'
import { ByteWriter } from './amqp/byte-writer.js'
import { fieldOf, readFields, writeFields } from './amqp/field-table.js'

/** The ways to send a user name and a password that Warren speaks. */
export type Mechanism = 'PLAIN' | 'AMQPLAIN'

const utf8 = { encoder: new TextEncoder(), decoder: new TextDecoder() }

/**
 * A user name and a password, byte for byte as the client sent them. The password can be compared and sent to
 * the broker, and nothing else.
 */
export class Credentials {
  /** For people: logs and lists. */
  readonly user: string
  readonly #user: Uint8Array
  readonly #password: Uint8Array

  constructor(user: Uint8Array | string, password: Uint8Array | string) {
    this.#user = toBytes(user)
    this.#password = toBytes(password)
    this.user = utf8.decoder.decode(this.#user)
  }

  equals(other: Credentials): boolean {
    return sameBytes(this.#user, other.#user) && sameBytes(this.#password, other.#password)
  }

  /** The same user with another password, byte for byte. */
  withPassword(password: Uint8Array): Credentials {
    return new Credentials(this.#user, new Uint8Array(password))
  }

  /** What `hash` makes of the user and the password: two that are equal give the same, and it gives neither away. */
  fingerprint(hash: (bytes: Uint8Array) => string): string {
    return hash(new ByteWriter().longString(this.#user).longString(this.#password).finish())
  }

  /** The response that Connection.Start-Ok carries for `mechanism`. */
  response(mechanism: Mechanism): Uint8Array {
    const writer = new ByteWriter()
    if (mechanism === 'PLAIN') writer.octet(0).raw(this.#user).octet(0).raw(this.#password)
    else
      writeFields(writer, [
        ['LOGIN', { type: 'string', value: this.#user }],
        ['PASSWORD', { type: 'string', value: this.#password }],
      ])
    return writer.finish()
  }

  /** Reads a client's response; undefined when it isn't of the mechanism's form. */
  static fromResponse(mechanism: Mechanism, response: Uint8Array): Credentials | undefined {
    return mechanism === 'PLAIN' ? fromPlain(response) : fromAmqplain(response)
  }
}

/** `NUL user NUL password` (RFC 4616; RabbitMQ takes no authorisation identity in front). */
function fromPlain(response: Uint8Array): Credentials | undefined {
  const separator = response.indexOf(0, 1)
  if (response[0] !== 0 || separator < 0 || response.includes(0, separator + 1)) return undefined
  // Copies, which slice() of one of Node's Buffers wouldn't be.
  const user = new Uint8Array(response.subarray(1, separator))
  return new Credentials(user, new Uint8Array(response.subarray(separator + 1)))
}

/** A field table without its length that holds LOGIN and PASSWORD. */
function fromAmqplain(response: Uint8Array): Credentials | undefined {
  try {
    const table = readFields(new ByteReader(response), response.length)
    const user = fieldOf(table, 'LOGIN')
    const password = fieldOf(table, 'PASSWORD')
    return user?.type === 'string' && password?.type === 'string'
      ? new Credentials(user.value, password.value)
      : undefined
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined
    throw error
  }
}

function toBytes(value: Uint8Array | string): Uint8Array {
  return typeof value === 'string' ? utf8.encoder.encode(value) : value
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, at) => octet === b[at])
}

/** The first bytes of a client, until they are the protocol header of AMQP 0-9-1, or can't become it any more (AMQP 0-9-1, 4.2.2). */
import { PROTOCOL_HEADER } from './frame.js'
import { joinSlices } from './slice-list.js'

/** `incomplete`: more has to come. `amqp`: the header is whole. `other`: it's another protocol. */
export type GreetingVerdict = 'incomplete' | 'amqp' | 'other'

/** Gathers a client's first bytes until it's decided what they are. */
export class Greeting {
  #bytes: Uint8Array = new Uint8Array(0)

  /** All that has come, to tell what else it may be. */
  get bytes(): Uint8Array {
    return this.#bytes
  }

  /** What came behind the header, in the same chunk as its end. */
  get rest(): Uint8Array {
    return this.#bytes.subarray(PROTOCOL_HEADER.length)
  }

  /** Takes the next bytes; not to be called again once it's decided. */
  push(chunk: Uint8Array): GreetingVerdict {
    this.#bytes = this.#bytes.length === 0 ? chunk : joinSlices([this.#bytes, chunk])
    const expected = PROTOCOL_HEADER.subarray(0, this.#bytes.length)
    if (!expected.every((octet, at) => this.#bytes[at] === octet)) return 'other'
    return this.#bytes.length < PROTOCOL_HEADER.length ? 'incomplete' : 'amqp'
  }
}

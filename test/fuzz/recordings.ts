/** What real clients have sent to a real RabbitMQ, one file for each session; see record.ts. */
import { readdirSync, readFileSync } from 'node:fs'
import { decodeFrame, PROTOCOL_HEADER } from '../support/wire-format.js'

/** Where the recordings are kept. */
export const RECORDINGS = new URL('recordings/', import.meta.url)

/** One session of a client, from the protocol header on. */
export interface Recording {
  readonly name: string
  /** Every frame with all its octets. */
  readonly frames: readonly Buffer[]
}

/** All recordings, in the order of their names. */
export function readRecordings(): Recording[] {
  const names = readdirSync(RECORDINGS).filter((name) => name.endsWith('.bin'))
  return names.sort().map((name) => ({
    name: name.replace('.bin', ''),
    frames: framesOf(readFileSync(new URL(name, RECORDINGS))),
  }))
}

function framesOf(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = []
  for (let rest = bytes.subarray(PROTOCOL_HEADER.length); rest.length > 0;) {
    const { length } = decodeFrame(rest)!
    frames.push(rest.subarray(0, length))
    rest = rest.subarray(length)
  }
  return frames
}

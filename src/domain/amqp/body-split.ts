/** Cuts a body frame into smaller ones, for a receiver with a smaller frame_max than the sender's. */
import { FRAME_BODY, FRAME_END, FRAME_HEADER_SIZE, FRAME_OVERHEAD } from './frame.js'

/**
 * The payload of one body frame, given as the slices of the whole frame, as body frames of at most `frameMax` bytes.
 * Payload bytes are shared, not copied; what comes out is headers, payload slices and end octets in the order of the wire.
 */
export function splitBody(
  frame: readonly Uint8Array[],
  channel: number,
  payloadSize: number,
  frameMax: number,
): Uint8Array[] {
  const largest = frameMax - FRAME_OVERHEAD
  const pieces: Uint8Array[] = []
  let part = 0
  let at = FRAME_HEADER_SIZE
  for (let left = payloadSize; left > 0;) {
    const size = Math.min(largest, left)
    pieces.push(bodyHeader(channel, size))
    for (let missing = size; missing > 0;) {
      const bytes = frame[part]
      const taken = Math.min(missing, bytes.length - at)
      if (taken > 0) pieces.push(bytes.subarray(at, at + taken))
      missing -= taken
      at += taken
      if (at === bytes.length) {
        part++
        at = 0
      }
    }
    pieces.push(END)
    left -= size
  }
  return pieces
}

const END = Uint8Array.of(FRAME_END)

function bodyHeader(channel: number, size: number): Uint8Array {
  return Uint8Array.of(
    FRAME_BODY,
    channel >>> 8,
    channel & 0xff,
    size >>> 24,
    (size >>> 16) & 0xff,
    (size >>> 8) & 0xff,
    size & 0xff,
  )
}

/** Lets only whole messages through to an upstream connection, and keeps neighbouring frames together in one write. */
import type { Frame, Piece } from '../amqp/frame.js'
import { SliceList, joinSlices } from '../amqp/slice-list.js'

/** A client channel as the assembler sees it. `Destination` is the upstream connection it's bound to. */
export interface AssemblyChannel<Destination> {
  readonly destination: Destination
  /** The part of a message that has arrived so far, when it couldn't stay in its chunk. Owned by the assembler. */
  heldMessage: SliceList | undefined
  /** Whether whole messages are to go to {@link takeMessage} instead of the destination. */
  readonly takesMessages: boolean
  /** A whole message, in an array of its own: everything that was handed over before has been forwarded. */
  takeMessage(bytes: Uint8Array): void
}

/** Receives what may go upstream, in order. The bytes belong to the receiver. */
export type Forward<Destination> = (destination: Destination, bytes: Uint8Array) => void

const NOTHING = new Uint8Array(0)

/**
 * Gathers the frames of one client. Frames that lie side by side in a chunk and go to the same destination leave as one
 * slice of it, without a copy; a message whose end isn't there yet is held back until it is, or forgotten
 * when its client dies, so that the shared connection never sees half a message.
 */
export class PublishAssembler<Destination> {
  readonly #forward: Forward<Destination>
  /** The run: `runBytes[runStart, runEnd)` may go to `runDestination`. */
  #runBytes: Uint8Array = NOTHING
  #runStart = 0
  #runEnd = 0
  #runDestination: Destination | undefined
  /** The message that directly follows the run in the same chunk and isn't whole yet: `runBytes[runEnd, openEnd)`. */
  #openChannel: AssemblyChannel<Destination> | undefined
  #openEnd = 0
  #heldBytes = 0

  constructor(forward: Forward<Destination>) {
    this.#forward = forward
  }

  /** Bytes that are held back because their messages aren't whole. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** What stands for itself: a method without content, or a whole message. */
  single(piece: Piece, channel: AssemblyChannel<Destination>): void {
    this.#setOpenAside()
    this.#joinRun(piece, channel)
    this.#runEnd = piece.end
  }

  /** A frame of a message that has more to come. */
  part(frame: Frame, channel: AssemblyChannel<Destination>): void {
    if (frame.parts === undefined && channel.heldMessage === undefined && !channel.takesMessages) {
      if (this.#openChannel === channel && this.#follows(frame, this.#openEnd)) {
        this.#openEnd = frame.end
        return
      }
      if (this.#openChannel !== channel) {
        this.#setOpenAside()
        this.#joinRun(frame, channel)
        this.#openChannel = channel
        this.#openEnd = frame.end
        return
      }
    }
    this.#hold(frame, channel)
  }

  /** The frame that makes a message whole. */
  last(frame: Frame, channel: AssemblyChannel<Destination>): void {
    if (this.#openChannel === channel && frame.parts === undefined && this.#follows(frame, this.#openEnd)) {
      this.#openChannel = undefined
      this.#runEnd = frame.end
      return
    }
    this.#setOpenAside()
    this.#hold(frame, channel)
    this.#sendRun()
    this.#heldBytes -= channel.heldMessage!.length
    const slices = channel.heldMessage!.take()
    channel.heldMessage = undefined
    if (channel.takesMessages) return channel.takeMessage(joinSlices(slices))
    for (const slice of slices) this.#forward(channel.destination, slice)
  }

  /** The chunk has been read: what is whole leaves, the rest is held. */
  endOfChunk(): void {
    this.#setOpenAside()
    this.#sendRun()
  }

  /** Forgets the unfinished message of a channel that is closing. */
  discard(channel: AssemblyChannel<Destination>): void {
    if (this.#openChannel === channel) this.#openChannel = undefined
    this.#heldBytes -= channel.heldMessage?.length ?? 0
    channel.heldMessage = undefined
  }

  #follows(piece: Piece, end: number): boolean {
    return piece.bytes === this.#runBytes && piece.start === end
  }

  /** Makes the run end where `piece` begins, sending what was there before when it can't be continued. */
  #joinRun(piece: Piece, channel: AssemblyChannel<Destination>): void {
    if (this.#follows(piece, this.#runEnd) && this.#runDestination === channel.destination) return
    this.#sendRun()
    this.#runBytes = piece.bytes
    this.#runStart = this.#runEnd = piece.start
    this.#runDestination = channel.destination
  }

  #sendRun(): void {
    if (this.#runEnd > this.#runStart) {
      const { length } = this.#runBytes
      const whole = this.#runStart === 0 && this.#runEnd === length
      this.#forward(
        this.#runDestination as Destination,
        whole ? this.#runBytes : this.#runBytes.subarray(this.#runStart, this.#runEnd),
      )
    }
    this.#runBytes = NOTHING
    this.#runStart = this.#runEnd = 0
    this.#runDestination = undefined
  }

  /** Moves the unfinished message out of the run's way. */
  #setOpenAside(): void {
    const channel = this.#openChannel
    if (channel === undefined) return
    this.#openChannel = undefined
    channel.heldMessage ??= new SliceList()
    channel.heldMessage.append(this.#runBytes, this.#runEnd, this.#openEnd)
    this.#heldBytes += this.#openEnd - this.#runEnd
  }

  #hold(frame: Frame, channel: AssemblyChannel<Destination>): void {
    if (this.#openChannel === channel) this.#setOpenAside()
    channel.heldMessage ??= new SliceList()
    const before = channel.heldMessage.length
    if (frame.parts === undefined) channel.heldMessage.append(frame.bytes, frame.start, frame.end)
    else for (const part of frame.parts) channel.heldMessage.append(part, 0, part.length)
    this.#heldBytes += channel.heldMessage.length - before
  }
}

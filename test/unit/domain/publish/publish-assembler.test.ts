import { expect } from 'chai'
import fc from 'fast-check'
import type { Frame } from '../../../../src/domain/amqp/frame.js'
import { FrameReader } from '../../../../src/domain/amqp/frame-reader.js'
import type { SliceList } from '../../../../src/domain/amqp/slice-list.js'
import { type AssemblyChannel, PublishAssembler } from '../../../../src/domain/publish/publish-assembler.js'
import {
  FrameRecorder,
  type SeenFrame,
  concat,
  cutAt,
  framesIn,
  hex,
  own,
  payload,
} from '../../../support/frames.js'
import { bodyFrame, headerFrame, method, publishFrames } from '../../../support/wire-format.js'

type Destination = string

class Channel implements AssemblyChannel<Destination> {
  heldMessage: SliceList | undefined = undefined
  takesMessages = false
  /** Whole messages that were taken. */
  readonly taken: Uint8Array[] = []

  takeMessage(bytes: Uint8Array): void {
    this.taken.push(bytes)
  }

  constructor(
    readonly number: number,
    readonly destination: Destination,
  ) {}
}

interface Forwarded {
  readonly destination: Destination
  readonly bytes: Uint8Array
}

/** How a frame stands to its message. */
type Role = 'single' | 'part' | 'last'

/** An assembler behind a reader; each frame's role is known beforehand, as the guard would have told it. */
class Bench {
  readonly forwarded: Forwarded[] = []
  readonly assembler = new PublishAssembler<Destination>((destination, bytes) => {
    this.forwarded.push({ destination, bytes })
  })
  readonly #channels: Map<number, Channel>
  readonly #reader: FrameReader
  readonly #roles: Role[]

  constructor(channels: readonly Channel[], roles: readonly Role[]) {
    this.#channels = new Map(channels.map((channel) => [channel.number, channel]))
    this.#roles = [...roles]
    this.#reader = new FrameReader(new FrameRecorder((frame) => this.#onFrame(frame)), 0)
  }

  push(chunk: Uint8Array): void {
    this.#reader.push(chunk)
    this.assembler.endOfChunk()
  }

  /** What has been forwarded to `destination` so far, in one piece. */
  bytesTo(destination: Destination): Uint8Array {
    return concat(
      this.forwarded.filter((forward) => forward.destination === destination).map(({ bytes }) => bytes),
    )
  }

  #onFrame(frame: Frame): void {
    this.assembler[this.#roles.shift()!](frame, this.#channels.get(frame.channel)!)
  }
}

/** Some frames of one channel, and their roles. */
interface Piece {
  readonly frames: Buffer[]
  readonly roles: Role[]
}

/** All frames of one publish. */
function message(channel: number, body: string | Buffer, pieces = 1): Piece {
  const bytes = Buffer.from(body as string)
  const size = Math.ceil(bytes.length / pieces)
  const bodies: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size)
    bodies.push(bodyFrame(channel, bytes.subarray(at, at + size)))
  const frames = [
    method(channel, 'basic.publish', { routingKey: 'key' }),
    headerFrame(channel, bytes.length),
    ...bodies,
  ]
  return { frames, roles: frames.map((_, at) => (at === frames.length - 1 ? 'last' : 'part')) }
}

describe('PublishAssembler', () => {
  const north = new Channel(1, 'north')
  const otherNorth = new Channel(2, 'north')
  const south = new Channel(3, 'south')

  beforeEach(() => {
    for (const channel of [north, otherNorth, south]) channel.heldMessage = undefined
  })

  /** Feeds frames as they are given, one array for each chunk. */
  function bench(...chunks: Piece[][]): Bench {
    const result = new Bench(
      [north, otherNorth, south],
      chunks.flat().flatMap(({ roles }) => roles),
    )
    for (const chunk of chunks) result.push(concat(chunk.flatMap(({ frames }) => frames)))
    return result
  }

  const single = (channel: number): Piece => ({
    frames: [method(channel, 'tx.select')],
    roles: ['single'],
  })
  /** A part of a message: its frames from `from` to `to`. */
  const part = ({ frames, roles }: Piece, from: number, to?: number): Piece => ({
    frames: frames.slice(from, to),
    roles: roles.slice(from, to),
  })
  const sentTo = (result: Bench, destination: Destination): number[] =>
    framesIn(result.bytesTo(destination)).map(({ channel }) => channel)

  describe('what may leave', () => {
    it('sends a method without content at the end of the chunk', () => {
      const result = bench([single(1)])
      expect(result.forwarded).to.deep.equal([{ destination: 'north', bytes: own(method(1, 'tx.select')) }])
    })

    it('holds a message back until its last body frame is there', () => {
      const { frames, roles } = message(1, 'abcdef', 3)
      const result = new Bench([north], roles)
      const last = own(frames.pop()!)
      for (const frame of frames) result.push(own(frame))
      expect(result.forwarded).to.deep.equal([])
      result.push(last)
      expect(hex(result.bytesTo('north'))).to.equal(hex(concat([...frames, last])))
    })

    it('sends a message without a body once its header is there', () => {
      const result = bench([message(1, '')])
      expect(hex(result.bytesTo('north'))).to.equal(hex(publishFrames(1, { routingKey: 'key' })))
    })

    it('sends what is whole in front of an unfinished message, and holds the rest', () => {
      const result = bench([single(1), part(message(1, 'abc'), 0, 2)])
      expect(sentTo(result, 'north')).to.deep.equal([1])
      expect(north.heldMessage!.length).to.equal(concat(part(message(1, 'abc'), 0, 2).frames).length)
    })

    it('keeps the message of one channel whole when another finishes its own in between', () => {
      const held = message(1, 'held')
      const late = message(2, 'late')
      const result = bench([part(held, 0, 2)], [part(late, 0, 1), part(held, 2), part(late, 1)])
      expect(hex(result.bytesTo('north'))).to.equal(hex(concat([...held.frames, ...late.frames])))
    })

    it('lets another channel pass while a message is unfinished', () => {
      const held = message(1, 'abc')
      const result = bench([part(held, 0, 2)], [single(2), message(3, 'x')])
      expect(sentTo(result, 'north')).to.deep.equal([2])
      expect(sentTo(result, 'south')).to.deep.equal([3, 3, 3])
    })

    it('interleaves the frames of two channels into one whole message after the other', () => {
      const one = message(1, 'one')
      const two = message(2, 'two')
      const result = bench([0, 1, 2].flatMap((i) => [part(one, i, i + 1), part(two, i, i + 1)]))
      expect(hex(result.bytesTo('north'))).to.equal(hex(concat([...one.frames, ...two.frames])))
    })

    it('keeps the order of a channel, from held messages to those of the next chunk', () => {
      const [first, second, third] = ['a', 'bb', 'ccc'].map((body) => message(1, body))
      const result = bench([first, part(second, 0, 1)], [part(second, 1), third, single(1)])
      expect(hex(result.bytesTo('north'))).to.equal(
        hex(concat([...first.frames, ...second.frames, ...third.frames, method(1, 'tx.select')])),
      )
    })

    it('sends nothing when there is nothing', () => {
      const result = bench()
      result.assembler.endOfChunk()
      result.assembler.endOfChunk()
      expect(result.forwarded).to.deep.equal([])
    })
  })

  describe('in how many pieces', () => {
    it('sends a chunk of whole messages for one destination as the chunk itself', () => {
      const parts = [message(1, 'abc'), single(2), message(2, ''), message(1, 'defghi', 3)]
      const chunk = concat(parts.flatMap(({ frames }) => frames))
      const result = new Bench(
        [north, otherNorth, south],
        parts.flatMap(({ roles }) => roles),
      )
      result.push(chunk)
      expect(result.forwarded.length).to.equal(1)
      expect(result.forwarded[0].bytes).to.equal(chunk)
    })

    it('sends whole messages as one view on the chunk, even with the beginning of another behind them', () => {
      const parts = [message(1, 'abc'), message(2, 'def'), part(message(1, 'ghi'), 0, 2)]
      const chunk = concat(parts.flatMap(({ frames }) => frames))
      const result = new Bench(
        [north, otherNorth],
        parts.flatMap(({ roles }) => roles),
      )
      result.push(chunk)
      expect(result.forwarded.length).to.equal(1)
      expect(result.forwarded[0].bytes.buffer).to.equal(chunk.buffer)
    })

    it('sends one piece for each run of frames with the same destination', () => {
      const result = bench([message(1, 'a'), message(2, 'b'), message(3, 'c'), single(3), message(1, 'd')])
      expect(result.forwarded.map(({ destination }) => destination)).to.deep.equal([
        'north',
        'south',
        'north',
      ])
    })

    it("doesn't copy a large body that came in several chunks", () => {
      const whole = message(1, Buffer.from(payload(100_000)))
      const chunks = cutAt(concat(whole.frames), [40_000, 80_000])
      const result = new Bench([north], whole.roles)
      for (const chunk of chunks) result.push(chunk)
      expect(hex(result.bytesTo('north'))).to.equal(hex(concat(whole.frames)))
      const shared = result.forwarded.filter(({ bytes }) =>
        chunks.some(({ buffer }) => buffer === bytes.buffer),
      )
      const sharedBytes = shared.reduce((sum, { bytes }) => sum + bytes.length, 0)
      expect(sharedBytes).to.be.greaterThan(99_000)
    })

    it("doesn't keep the chunk alive for a small beginning of a message", () => {
      const held = part(message(1, 'abc'), 0, 2)
      const result = bench([message(2, Buffer.alloc(60_000)), held])
      expect(result.forwarded.length).to.equal(1)
      const [slice] = north.heldMessage!.take()
      expect(slice.buffer.byteLength).to.be.at.most(512)
    })
  })

  it('hands a channel that takes its messages each of them in one piece, however it came', () => {
    const taker = new Channel(4, 'kept')
    taker.takesMessages = true
    const [first, second] = [message(4, 'abc'), message(4, 'de', 2)]
    const parts = [part(first, 0, 2), part(first, 2), second, message(1, 'x')]
    const result = new Bench(
      [taker, north],
      parts.flatMap(({ roles }) => roles),
    )
    result.push(concat(parts[0].frames))
    result.push(concat(parts.slice(1).flatMap(({ frames }) => frames)))
    expect(taker.taken.map((bytes) => hex(bytes))).to.deep.equal([
      hex(concat(first.frames)),
      hex(concat(second.frames)),
    ])
    expect(result.forwarded.map(({ destination }) => destination)).to.deep.equal(['north'])
    expect(result.assembler.heldBytes).to.equal(0)
  })

  describe('a channel that is closing', () => {
    it('leaves nothing behind of a message that was held', () => {
      const result = bench([part(message(1, 'abc'), 0, 2)])
      result.assembler.discard(north)
      expect(north.heldMessage).to.equal(undefined)
      result.assembler.endOfChunk()
      expect(result.forwarded).to.deep.equal([])
    })

    it('leaves nothing behind of a message in the current chunk, but all that was whole', () => {
      const chunk = concat([...message(1, 'abc').frames, ...part(message(1, 'def'), 0, 2).frames])
      const result = new Bench([north], ['part', 'part', 'last', 'part', 'part'])
      const reader = new FrameReader(
        new FrameRecorder((frame) => {
          const role = (['part', 'part', 'last', 'part', 'part'] as const)[frames++]
          result.assembler[role](frame, north)
          if (frames === 5) result.assembler.discard(north)
        }),
        0,
      )
      let frames = 0
      reader.push(chunk)
      result.assembler.endOfChunk()
      expect(hex(result.bytesTo('north'))).to.equal(hex(concat(message(1, 'abc').frames)))
    })

    it('takes nothing from the others', () => {
      const held = message(2, 'abc')
      const result = bench([part(held, 0, 2), part(message(1, 'x'), 0, 2)])
      result.assembler.discard(north)
      expect(otherNorth.heldMessage!.length).to.equal(concat(held.frames.slice(0, 2)).length)
    })
  })

  describe('whatever the order', () => {
    const DESTINATIONS = ['north', 'north', 'south', 'east']
    const size = fc.oneof({ weight: 8, arbitrary: fc.nat(60) }, { weight: 1, arbitrary: fc.nat(9000) })
    /** A method without content, or a message with a body of these pieces. */
    const item = fc.oneof(
      { weight: 1, arbitrary: fc.constant(null) },
      { weight: 3, arbitrary: fc.array(size, { maxLength: 4 }) },
    )

    interface Step {
      readonly channel: Channel
      readonly frame: Buffer
      readonly role: Role
    }

    /** The frames of one channel, in order. */
    function stepsOf(channel: Channel, items: readonly (number[] | null)[]): Step[] {
      return items.flatMap((pieces, seed): Step[] => {
        if (pieces === null) return [{ channel, frame: method(channel.number, 'tx.select'), role: 'single' }]
        const body = pieces.reduce((sum, piece) => sum + piece, 0)
        // An empty last piece would stand behind the end of the message.
        while (pieces.at(-1) === 0) pieces = pieces.slice(0, -1)
        const frames = [
          method(channel.number, 'basic.publish', { routingKey: `${seed}` }),
          headerFrame(channel.number, body),
          ...pieces.map((piece, at) => bodyFrame(channel.number, Buffer.from(payload(piece, seed + at)))),
        ]
        return frames.map((frame, at) => ({
          channel,
          frame,
          role: at === frames.length - 1 ? 'last' : 'part',
        }))
      })
    }

    /** The steps of all channels in one order, by the picks. */
    function interleave(queues: Step[][], picks: readonly number[]): Step[] {
      const steps: Step[] = []
      for (let i = 0; ; i++) {
        const left = queues.filter((queue) => queue.length > 0)
        if (left.length === 0) return steps
        steps.push(left[(picks[i % picks.length] ?? 0) % left.length].shift()!)
      }
    }

    /** Which frames must have been forwarded. */
    class Model {
      /** The frames of whole messages, by channel number. */
      readonly whole: SeenFrame[][] = [[], [], [], [], []]
      readonly #open = new Map<Channel, SeenFrame[]>()
      readonly #givenUp = new Set<Channel>()

      /** Whether the assembler is to get the frame: what is left of a given-up message is dropped before it. */
      takes({ channel, frame, role }: Step): boolean {
        const isGivenUp = this.#givenUp.has(channel)
        if (role !== 'part') this.#givenUp.delete(channel)
        if (isGivenUp) return false
        const frames = [...(this.#open.get(channel) ?? []), ...framesIn(frame)]
        this.#open.set(channel, role === 'part' ? frames : [])
        if (role !== 'part') this.whole[channel.number].push(...frames)
        return true
      }

      giveUp(channel: Channel): void {
        if ((this.#open.get(channel) ?? []).length > 0) this.#givenUp.add(channel)
        this.#open.set(channel, [])
      }
    }

    const scenario = fc.record({
      items: fc.tuple(...DESTINATIONS.map(() => fc.array(item, { maxLength: 4 }))),
      picks: fc.array(fc.nat(), { minLength: 1, maxLength: 20 }),
      cuts: fc.array(fc.nat(), { maxLength: 10 }),
      /** Before which steps which channel is discarded. */
      discards: fc.array(fc.tuple(fc.nat(40), fc.nat(3)), { maxLength: 3 }),
      /** Steps that have to wait once. */
      stops: fc.uniqueArray(fc.nat(40), { maxLength: 4 }),
    })

    it('forwards exactly the whole messages of each channel, in order, to its destination alone', () => {
      fc.assert(
        fc.property(scenario, ({ items, picks, cuts, discards, stops }) => {
          const channels = DESTINATIONS.map((destination, i) => new Channel(i + 1, destination))
          const steps = interleave(
            channels.map((channel, i) => stepsOf(channel, items[i])),
            picks,
          )
          const model = new Model()
          const seen: SeenFrame[][] = [[], [], [], [], []]
          let fresh: Forwarded[] = []
          const assembler = new PublishAssembler<Destination>((destination, bytes) => {
            fresh.push({ destination, bytes })
          })
          const waits = new Set(stops)
          let at = 0
          const reader = new FrameReader(
            new FrameRecorder((frame) => {
              if (waits.delete(at)) return false
              const step = steps[at]
              for (const [, i] of discards.filter(([when]) => when === at)) {
                assembler.discard(channels[i])
                model.giveUp(channels[i])
              }
              at++
              if (model.takes(step)) assembler[step.role](frame, step.channel)
              return true
            }),
            0,
          )
          const endChunk = (): void => {
            assembler.endOfChunk()
            // Nothing of an unfinished message may be among it: the bytes of each destination end with a frame.
            for (const destination of new Set(DESTINATIONS)) {
              const pieces = fresh.filter((forward) => forward.destination === destination)
              for (const frame of framesIn(concat(pieces.map(({ bytes }) => bytes)))) {
                const channel = channels[frame.channel - 1]
                expect(channel.destination).to.equal(destination)
                seen[channel.number].push(frame)
              }
            }
            fresh = []
            expect(seen).to.deep.equal(model.whole)
            const held = channels.reduce((sum, { heldMessage }) => sum + (heldMessage?.length ?? 0), 0)
            expect(assembler.heldBytes, 'what is held is counted').to.equal(held)
          }
          for (const chunk of cutAt(concat(steps.map(({ frame }) => frame)), cuts)) {
            reader.push(chunk)
            endChunk()
            while (reader.stopped) {
              reader.resume()
              endChunk()
            }
          }
          expect(at).to.equal(steps.length)
        }),
        { numRuns: 400 },
      )
    })
  })
})

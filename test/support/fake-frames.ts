/** What a fake client and a fake broker have in common: reading what came, and writing it down. */
import {
  decodeFrame,
  decodeHeader,
  decodeMethod,
  FrameType,
  type Args,
  type Frame,
  type MethodName,
  type Properties,
} from './wire-format.js'

/** A method that was received, with its content if it carries one. */
export interface Received<N extends MethodName = MethodName> {
  readonly channel: number
  readonly name: N
  readonly args: Args<N>
  readonly properties?: Properties
  readonly body?: Buffer
  /** The payload sizes of the body's frames. */
  readonly bodyFrames?: readonly number[]
}

interface OpenContent {
  readonly channel: number
  readonly name: MethodName
  readonly args: Args<MethodName>
  properties: Properties
  /** Bytes still to come; undefined before the header. */
  missing: number | undefined
  readonly bodies: Buffer[]
}

const WITH_CONTENT = new Set<MethodName>(['basic.publish', 'basic.deliver', 'basic.return', 'basic.get-ok'])

/** Cuts a stream of bytes into frames and puts messages together. Throws where a peer would find the bytes wrong. */
export class FrameLog {
  /** Every frame, as it came. */
  readonly frames: Frame[] = []
  /** Every method in the order in which it, or the message that it begins, was complete. */
  readonly methods: Received[] = []
  heartbeats = 0
  private rest = Buffer.alloc(0)
  private readonly contents = new Map<number, OpenContent>()

  /** `onMethod` hears of each method once it's complete. */
  constructor(private readonly onMethod: (method: Received) => void) {}

  /** Whether a message has begun on `channel` that isn't whole yet. */
  isInContent(channel: number): boolean {
    return this.contents.has(channel)
  }

  push(bytes: Buffer): void {
    this.rest = Buffer.concat([this.rest, bytes])
    for (let next = decodeFrame(this.rest); next !== undefined; next = decodeFrame(this.rest)) {
      this.rest = this.rest.subarray(next.length)
      this.frames.push(next.frame)
      this.onFrame(next.frame)
    }
  }

  private onFrame(frame: Frame): void {
    if (frame.type === FrameType.heartbeat) this.heartbeats++
    else if (frame.type === FrameType.method) this.onMethodFrame(frame)
    else this.onContentFrame(frame)
  }

  private onMethodFrame(frame: Frame): void {
    const { channel, name, args, classId, methodId } = decodeMethod(frame)
    if (name === undefined) throw new Error(`method ${classId}.${methodId} is unknown`)
    if (this.contents.has(channel)) throw new Error(`${name} within a message on channel ${channel}`)
    if (WITH_CONTENT.has(name))
      this.contents.set(channel, { channel, name, args, properties: {}, missing: undefined, bodies: [] })
    else this.record({ channel, name, args })
  }

  private onContentFrame(frame: Frame): void {
    const content = this.contents.get(frame.channel)
    const isHeader = frame.type === FrameType.header
    if (content === undefined || isHeader !== (content.missing === undefined))
      throw new Error(`frame of type ${frame.type} out of order on channel ${frame.channel}`)
    if (isHeader) {
      const header = decodeHeader(frame)
      content.missing = header.bodySize
      content.properties = header.properties
    } else {
      content.bodies.push(frame.payload)
      content.missing! -= frame.payload.length
    }
    if (content.missing! > 0) return
    if (content.missing! < 0) throw new Error(`too much body on channel ${frame.channel}`)
    this.contents.delete(frame.channel)
    const { channel, name, args, properties, bodies } = content
    const bodyFrames = bodies.map((body) => body.length)
    this.record({ channel, name, args, properties, body: Buffer.concat(bodies), bodyFrames })
  }

  private record(method: Received): void {
    this.methods.push(method)
    this.onMethod(method)
  }
}

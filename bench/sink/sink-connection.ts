/** One connection to the sink: answers what a benchmark client asks and counts what it publishes. */
import type { Socket } from 'node:net'
import { HEARTBEAT, longString, methodFrame, shortString, u16, u32 } from '../wire/encoding.js'
import { type FrameHandler, FrameScanner } from '../wire/frame-scanner.js'
import { Method, methodName } from '../wire/method.js'
import { SendBuffer } from '../wire/send-buffer.js'
import { TagWindow } from '../wire/tag-window.js'
import { DeliveryStream } from './delivery-stream.js'
import { Echo, ECHO_PREFIX, echoes } from './echo.js'
import { CHANNEL_MAX, CLOSE_OK, fixedReply, OPEN_OK, START, TUNE } from './replies.js'
import { SinkChannel } from './sink-channel.js'

export interface SinkStats {
  connections: number
  channels: number
  publishes: number
  acks: number
  deliveries: number
}

const PROTOCOL_HEADER_SIZE = 8
const CONFIRM = methodFrame(0, Method.BasicAck, u32(0), u32(0), Buffer.from([1]))
const confirms = new SendBuffer(CONFIRM)

/** Deliveries on their way to a consumer that set no prefetch. */
const UNLIMITED_PREFETCH = 1000

export class SinkConnection implements FrameHandler {
  private readonly scanner = new FrameScanner(this)
  private readonly channels: (SinkChannel | undefined)[] = []
  private readonly pending: SinkChannel[] = []
  private headerLeft = PROTOCOL_HEADER_SIZE
  private open = false

  constructor(
    private readonly socket: Socket,
    private readonly stats: SinkStats,
  ) {
    stats.connections++
  }

  receive(chunk: Buffer, length: number): void {
    if (this.headerLeft > 0) return this.receiveHeader(chunk, length)
    this.scanner.push(chunk, length)
    if (this.pending.length > 0) this.sendPending()
  }

  onMethod(id: number, channelNumber: number, bytes: Buffer, at: number): void {
    const channel = this.channels[channelNumber]
    if (id === Method.BasicPublish) {
      if (!channel) return this.refuse(504, `CHANNEL_ERROR - publish on closed channel ${channelNumber}`)
      if (echoes.size > 0) this.findEcho(channel, bytes, at)
    } else if (id === Method.BasicAck || id === Method.BasicNack || id === Method.BasicReject) {
      if (channel)
        this.settle(channel, bytes.readUInt32BE(at + 4), id !== Method.BasicReject && bytes[at + 8] % 2 === 1)
    } else if (id >>> 16 === 10) this.answerConnection(id)
    else {
      // Confirms of what came before leave before this request's answer.
      this.sendPending()
      this.answer(id, channelNumber, channel, bytes, at)
    }
  }

  onHeader(channelNumber: number, bodySize: number): void {
    const channel = this.channels[channelNumber]
    if (!channel) return
    channel.bodyLeft = bodySize
    if (bodySize === 0) this.messageComplete(channel)
  }

  onBody(channelNumber: number, size: number, bytes: Buffer, at: number): void {
    const channel = this.channels[channelNumber]
    if (!channel) return
    channel.bodyLeft -= size
    if (channel.echo && at >= 0) channel.echo.send(bytes.subarray(at, at + size))
    if (channel.bodyLeft === 0) this.messageComplete(channel)
  }

  heartbeat(): void {
    if (this.open) this.socket.write(HEARTBEAT)
  }

  /** The socket is gone. */
  closed(): void {
    for (const channel of this.channels) if (channel) this.forget(channel)
  }

  private receiveHeader(chunk: Buffer, length: number): void {
    const taken = Math.min(this.headerLeft, length)
    this.headerLeft -= taken
    if (this.headerLeft > 0) return
    this.socket.write(START)
    if (length > taken) this.receive(chunk.subarray(taken), length - taken)
  }

  private messageComplete(channel: SinkChannel): void {
    this.stats.publishes++
    channel.published++
    if (channel.confirming) this.mark(channel)
  }

  private settle(channel: SinkChannel, tag: number, multiple: boolean): void {
    if (!channel.unacked) return
    const settled = channel.unacked.settle(tag, multiple)
    this.stats.acks += settled
    channel.credit += settled
    this.mark(channel)
  }

  private mark(channel: SinkChannel): void {
    if (channel.pending) return
    channel.pending = true
    this.pending.push(channel)
  }

  /** One confirm for all that a channel published, and as many deliveries as were acknowledged, once per chunk. */
  private sendPending(): void {
    for (const channel of this.pending) {
      channel.pending = false
      if (channel.confirmed < channel.published) this.confirm(channel)
      if (channel.stream && channel.credit > 0) this.deliver(channel, channel.stream)
    }
    this.pending.length = 0
  }

  private confirm(channel: SinkChannel): void {
    if (!channel.confirming) return
    channel.confirmed = channel.published
    const bytes = confirms.bytes
    bytes.writeUInt16BE(channel.number, 1)
    bytes.writeUInt32BE(channel.published, 15)
    confirms.send(this.socket, bytes.length)
  }

  private deliver(channel: SinkChannel, stream: DeliveryStream): void {
    stream.send(this.socket, channel.nextDeliveryTag, channel.credit)
    channel.nextDeliveryTag += channel.credit
    this.stats.deliveries += channel.credit
    channel.credit = 0
  }

  private answerConnection(id: number): void {
    if (id === Method.ConnectionStartOk) this.socket.write(TUNE)
    else if (id === Method.ConnectionOpen) this.connectionOpen()
    else if (id === Method.ConnectionClose) this.end(CLOSE_OK)
    else if (id === Method.ConnectionCloseOk) this.socket.end()
    else if (id !== Method.ConnectionTuneOk) this.refuse(503, `COMMAND_INVALID - method ${methodName(id)}`)
  }

  private connectionOpen(): void {
    this.open = true
    this.socket.write(OPEN_OK)
  }

  private end(lastFrame: Buffer): void {
    this.open = false
    this.socket.end(lastFrame)
  }

  private answer(
    id: number,
    number: number,
    channel: SinkChannel | undefined,
    bytes: Buffer,
    at: number,
  ): void {
    if (id === Method.ChannelOpen) return this.openChannel(number)
    if (id === Method.ChannelCloseOk) return
    if (!channel) return this.refuse(504, `CHANNEL_ERROR - expected 'channel.open' on ${number}`)
    const reply = fixedReply(id, number)
    if (reply) this.socket.write(reply)
    else if (id === Method.ChannelClose) this.closeChannel(channel)
    else if (id === Method.ConfirmSelect) this.selectConfirms(channel, bytes[at] === 1)
    else if (id === Method.QueueDeclare) this.declareQueue(number, readShortString(bytes, at + 2))
    else if (id === Method.BasicQos) this.setPrefetch(channel, bytes.readUInt16BE(at + 4))
    else if (id === Method.BasicConsume) this.consume(channel, bytes, at)
    else if (id === Method.BasicCancel) this.cancel(channel)
    else this.refuse(540, `NOT_IMPLEMENTED - the sink doesn't know method ${methodName(id)}`)
  }

  private openChannel(number: number): void {
    if (this.channels[number]) return this.refuse(504, "CHANNEL_ERROR - second 'channel.open' seen")
    if (number > CHANNEL_MAX) return this.refuse(530, 'NOT_ALLOWED - channel number over channel_max')
    this.channels[number] = new SinkChannel(number)
    this.stats.channels++
    this.socket.write(methodFrame(number, Method.ChannelOpenOk, longString('')))
  }

  private closeChannel(channel: SinkChannel): void {
    this.forget(channel)
    this.socket.write(methodFrame(channel.number, Method.ChannelCloseOk))
  }

  private selectConfirms(channel: SinkChannel, noWait: boolean): void {
    channel.confirming = true
    channel.published = 0
    channel.confirmed = 0
    if (!noWait) this.socket.write(methodFrame(channel.number, Method.ConfirmSelectOk))
  }

  private declareQueue(number: number, queue: string): void {
    const fields = [shortString(queue || 'amq.gen-sink'), u32(0), u32(0)]
    this.socket.write(methodFrame(number, Method.QueueDeclareOk, ...fields))
  }

  private setPrefetch(channel: SinkChannel, prefetch: number): void {
    channel.prefetch = prefetch
    this.socket.write(methodFrame(channel.number, Method.BasicQosOk))
  }

  /** The queue's name decides what comes: `bench.echo…` what is published to it, `….N` messages of N octets. */
  private consume(channel: SinkChannel, bytes: Buffer, at: number): void {
    if (channel.consumerTag) return this.refuse(540, 'NOT_IMPLEMENTED - one consumer for each channel')
    const queue = readShortString(bytes, at + 2)
    const tagAt = at + 3 + Buffer.byteLength(queue)
    const argumentsAt = tagAt + 1 + bytes[tagAt] + 1
    if (bytes.readUInt32BE(argumentsAt) > 0) return this.refuseConsumer(channel, queue)
    const tag = readShortString(bytes, tagAt) || 'amq.ctag-sink'
    channel.consumerTag = tag
    this.socket.write(methodFrame(channel.number, Method.BasicConsumeOk, shortString(tag)))
    if (queue.startsWith(ECHO_PREFIX)) {
      echoes.set(queue, new Echo(queue, this.socket, channel.number, tag))
      return
    }
    const bodySize = Number(queue.split('.').at(-1)) || 100
    const window = channel.prefetch || UNLIMITED_PREFETCH
    channel.unacked = new TagWindow(window)
    channel.stream = new DeliveryStream(channel.number, tag, Buffer.alloc(bodySize, 'x'), window)
    channel.credit = window
    this.mark(channel)
  }

  /** A proxy asks for the kind of the queue by an argument that only streams understand. */
  private refuseConsumer(channel: SinkChannel, queue: string): void {
    const text = `PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue '${queue}' in vhost '/' of queue type rabbit_classic_queue`
    this.forget(channel)
    this.socket.write(
      methodFrame(channel.number, Method.ChannelClose, u16(406), shortString(text), u16(60), u16(20)),
    )
  }

  private cancel(channel: SinkChannel): void {
    const tag = channel.consumerTag
    this.dropConsumer(channel)
    this.socket.write(methodFrame(channel.number, Method.BasicCancelOk, shortString(tag)))
  }

  private findEcho(channel: SinkChannel, bytes: Buffer, at: number): void {
    const exchangeSize = bytes[at + 2]
    channel.echo = echoes.get(readShortString(bytes, at + 3 + exchangeSize))
    if (channel.echo) this.scanner.wholeBodies = true
  }

  private forget(channel: SinkChannel): void {
    this.dropConsumer(channel)
    this.channels[channel.number] = undefined
    this.stats.channels--
  }

  private dropConsumer(channel: SinkChannel): void {
    channel.stream = undefined
    channel.consumerTag = ''
    for (const echo of echoes.values()) {
      if (echo.belongsTo(this.socket, channel.number)) echoes.delete(echo.queue)
    }
  }

  private refuse(code: number, text: string): void {
    process.stderr.write(`sink: ${code} ${text}\n`)
    this.end(methodFrame(0, Method.ConnectionClose, u16(code), shortString(text), u32(0)))
  }
}

function readShortString(bytes: Buffer, at: number): string {
  return bytes.toString('utf8', at + 1, at + 1 + bytes[at])
}

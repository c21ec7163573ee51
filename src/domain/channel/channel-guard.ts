/** AMQP's rules for what a client may send on one of its channels, judged before a frame can reach the shared connection. */
import {
  CONTENT_HEADER_MIN_SIZE,
  contentBodySize,
  contentBodySizeText,
  contentClass,
  contentWeight,
  hasHeaders,
  hasWellFormedProperties,
} from '../amqp/content-header.js'
import { undecodableMethod, unknownFrame } from '../amqp/frame-errors.js'
import { FRAME_BODY, FRAME_HEADER, FRAME_METHOD, type Frame, METHOD_IDS_SIZE } from '../amqp/frame.js'
import * as id from '../amqp/method-ids.js'
import { hasShapeOf, hasUtf8Strings, readArguments } from '../amqp/method-layout.js'
import * as method from '../amqp/methods.js'
import type { WholeMessage } from '../amqp/whole-message.js'
import {
  type AmqpError,
  CHANNEL_ERROR,
  COMMAND_INVALID,
  FRAME_ERROR,
  INTERNAL_ERROR,
  NOT_ALLOWED,
  NOT_IMPLEMENTED,
  PRECONDITION_FAILED,
  SYNTAX_ERROR,
  UNEXPECTED_FRAME,
  amqpError,
  connectionError,
} from '../amqp/reply-codes.js'
import { ConsumerTags } from './consumer-tags.js'
import { copiesToForgedReplyTo, isPoisonousConsumer, isPoisonousQueue } from './poison.js'
import { isForgedReplyTo, replyAddressIn } from './reply-to.js'

/** A method without content: it may go upstream. */
export const VERDICT_SINGLE = 0
/** Part of a message that has more to come. */
export const VERDICT_PART = 1
/** The frame that makes a message whole. */
export const VERDICT_LAST = 2
/** Not for anybody: forget it. */
export const VERDICT_DROP = 3
/** Against the rules: {@link ChannelGuard.refusal} says what the client is to be told. */
export const VERDICT_REFUSED = 4
/** It can't be judged before the broker has answered an earlier request: to be judged again then. */
export const VERDICT_WAIT = 5

/** What {@link ChannelGuard.judge} says: small numbers, since it says one for each frame. */
export type Verdict =
  | typeof VERDICT_SINGLE
  | typeof VERDICT_PART
  | typeof VERDICT_LAST
  | typeof VERDICT_DROP
  | typeof VERDICT_REFUSED
  | typeof VERDICT_WAIT

/** What RabbitMQ says when a channel of it crashes: it names no method. */
const INTERNAL = connectionError(INTERNAL_ERROR, 'INTERNAL_ERROR')

/** The reserved ticket in front of a queue's name. */
const RESERVED_SIZE = 2
const CONSUME_NO_WAIT = 0b1000
const CANCEL_NO_WAIT = 0b1
const PUBLISH_IMMEDIATE = 0b10
/** Of a Basic.Ack's payload: ids, delivery tag, flags. */
const ACK_SIZE = 13

const EXPECTS_METHOD = 0
const EXPECTS_HEADER = 1
const EXPECTS_BODY = 2

/** Bounds that come from configuration. */
export interface GuardLimits {
  /** Largest message body in bytes. */
  readonly maxMessageBytes: number
  /** How deep tables may nest. */
  readonly maxTableDepth: number
}

/** Judges one open channel of one client, frame by frame. Opening and closing the channel are its owner's business. */
export class ChannelGuard {
  readonly #limits: GuardLimits
  #expects: typeof EXPECTS_METHOD | typeof EXPECTS_HEADER | typeof EXPECTS_BODY = EXPECTS_METHOD
  #bodyMissing = 0
  #consumerTags: ConsumerTags | undefined
  #refusal: AmqpError | undefined
  #isSafe = true

  constructor(limits: GuardLimits) {
    this.#limits = limits
  }

  /** Why the last frame was refused. */
  get refusal(): AmqpError {
    if (this.#refusal === undefined) throw new Error('nothing was refused')
    return this.#refusal
  }

  /**
   * Whether the channel has seen nothing but publishes, so that nothing of this client stays on it once the broker has
   * processed them: no confirm or tx mode, consumer, delivery tag or current queue. A prefetch is its owner's business.
   */
  get isSafe(): boolean {
    return this.#isSafe
  }

  /** Whether the client is in the middle of a message. */
  get isInContent(): boolean {
    return this.#expects !== EXPECTS_METHOD
  }

  /**
   * Says what may be done with `frame`, which is of any type but heartbeat. Never throws, whatever the bytes are. May set flags in
   * the frame so that the broker answers where the client didn't ask for it.
   */
  judge(frame: Frame): Verdict {
    switch (frame.type) {
      case FRAME_METHOD:
        return this.#judgeMethod(frame)
      case FRAME_HEADER:
        return this.#judgeHeader(frame)
      case FRAME_BODY:
        return this.#judgeBody(frame)
      default:
        return this.#refuse(unknownFrame(frame))
    }
  }

  /**
   * Whether there's nothing to say against any frame of a publish, all of which are there. Otherwise they are
   * to be judged one by one. An answer to a direct reply-to address is one that needs a closer look.
   */
  admits({ bytes, argumentsStart, argumentsEnd, headerStart, headerEnd, bodySize }: WholeMessage): boolean {
    if (this.#expects !== EXPECTS_METHOD || bodySize > this.#limits.maxMessageBytes) return false
    const flagsAt = publishFlagsAt(bytes, argumentsStart)
    if (flagsAt !== argumentsEnd - 1 || (bytes[flagsAt] & PUBLISH_IMMEDIATE) !== 0) return false
    if (replyAddressIn(bytes, argumentsStart) !== '') return false
    if (contentWeight(bytes, headerStart) !== 0 || contentClass(bytes, headerStart) !== method.BASIC_CLASS)
      return false
    if (!hasWellFormedProperties(bytes, headerStart, headerEnd, this.#limits.maxTableDepth)) return false
    return !hasHeaders(bytes, headerStart) || !copiesToForgedReplyTo(bytes, headerStart, headerEnd)
  }

  /** The broker has confirmed a consumer, perhaps under a tag of its own making. Returns whether the client asked for the answer. */
  onConsumeOk(consumerTag: string): boolean {
    return this.#consumerTags?.onConsumeOk(consumerTag) !== false
  }

  /** The broker has confirmed the end of a consumer. Returns whether the client asked for the answer. */
  onCancelOk(consumerTag: string): boolean {
    return this.#consumerTags?.onCancelOk(consumerTag) !== false
  }

  /** The broker has ended a consumer by itself: its tag may be used again. */
  onBrokerCancel(consumerTag: string): void {
    this.#consumerTags?.onBrokerCancel(consumerTag)
  }

  #judgeMethod(frame: Frame): Verdict {
    if (frame.payloadSize < METHOD_IDS_SIZE) return this.#refuse(unknownFrame(frame))
    const methodId = frame.methodId
    if (this.#expects !== EXPECTS_METHOD) return this.#refuseInContent()
    // The two that come in great numbers, judged without looking up what they look like.
    if (methodId === id.BASIC_PUBLISH) return this.#judgePublish(frame)
    if (methodId === id.BASIC_ACK && frame.payloadSize === ACK_SIZE) {
      this.#isSafe = false
      return VERDICT_SINGLE
    }
    const layout = method.methodOf(methodId)
    if (layout === undefined) return this.#refuseUnknown(methodId)
    if (layout.sender === 'server' || layout.classId === method.CONNECTION_CLASS)
      return this.#refuseUnimplemented(methodId)
    const args = frame.argumentsStart
    if (!hasShapeOf(layout, frame.bytes, args, frame.payloadEnd, this.#limits.maxTableDepth))
      return this.#refuse(undecodableMethod(frame))
    if (!hasUtf8Strings(layout, frame.bytes, args, frame.payloadEnd))
      return this.#refuse(amqpError(FRAME_ERROR, 'Malformed UTF-8 in shortstr'))
    if (methodId !== id.CHANNEL_CLOSE && methodId !== id.BASIC_QOS) this.#isSafe = false
    return this.#judgeRequest(frame, methodId, args)
  }

  /** RabbitMQ doesn't look whether its strings are UTF-8. */
  #judgePublish(frame: Frame): Verdict {
    const { bytes } = frame
    const args = frame.argumentsStart
    const flagsAt = publishFlagsAt(bytes, args)
    if (flagsAt !== frame.payloadEnd - 1) return this.#refuse(undecodableMethod(frame))
    if ((bytes[flagsAt] & PUBLISH_IMMEDIATE) !== 0)
      return this.#refuse(amqpError(NOT_IMPLEMENTED, 'immediate=true', id.BASIC_PUBLISH))
    if (isForgedReplyTo(replyAddressIn(bytes, args))) return this.#refuse(INTERNAL)
    this.#expects = EXPECTS_HEADER
    return VERDICT_PART
  }

  #judgeRequest(frame: Frame, methodId: number, args: number): Verdict {
    const { bytes, payloadEnd } = frame
    switch (methodId) {
      case id.QUEUE_DECLARE:
        if (isPoisonousQueue(readArguments(method.QueueDeclare, bytes, args, payloadEnd)))
          return this.#refuse(INTERNAL)
        return VERDICT_SINGLE
      case id.BASIC_CONSUME:
        return this.#judgeConsume(frame, args)
      case id.BASIC_CANCEL:
        return this.#judgeCancel(frame, args)
      case id.BASIC_QOS: {
        const { prefetchSize } = readArguments(method.BasicQos, bytes, args, payloadEnd)
        if (prefetchSize === 0) return VERDICT_SINGLE
        return this.#refuse(amqpError(NOT_IMPLEMENTED, `prefetch_size!=0 (${prefetchSize})`, methodId))
      }
      case id.BASIC_RECOVER:
      case id.BASIC_RECOVER_ASYNC:
        if ((bytes[args] & 1) === 0)
          return this.#refuse(amqpError(NOT_IMPLEMENTED, 'requeue=false', methodId))
        return VERDICT_SINGLE
      case id.CHANNEL_FLOW:
        if ((bytes[args] & 1) === 0) return this.#refuse(amqpError(NOT_IMPLEMENTED, 'active=false', methodId))
        return VERDICT_SINGLE
      case id.CHANNEL_OPEN:
        return this.#refuse(amqpError(CHANNEL_ERROR, "second 'channel.open' seen", methodId))
      case id.CHANNEL_CLOSE_OK:
      case id.CHANNEL_FLOW_OK:
      case id.BASIC_CANCEL_OK:
        return this.#refuseUnimplemented(methodId)
      default:
        return VERDICT_SINGLE
    }
  }

  /** A tag may be used once for each channel; RabbitMQ ends the whole connection otherwise. */
  #judgeConsume(frame: Frame, args: number): Verdict {
    const { bytes, payloadEnd } = frame
    const consume = readArguments(method.BasicConsume, bytes, args, payloadEnd)
    if (isPoisonousConsumer(consume)) return this.#refuse(INTERNAL)
    const { consumerTag, noWait } = consume
    const tags = (this.#consumerTags ??= new ConsumerTags())
    if (tags.isUndecided(consumerTag)) return VERDICT_WAIT
    if (tags.isUsed(consumerTag))
      return this.#refuse(
        amqpError(NOT_ALLOWED, `attempt to reuse consumer tag '${consumerTag}'`, id.BASIC_CONSUME),
      )
    tags.start(consumerTag, noWait)
    if (noWait) askForAnswer(bytes, behindShortStrings(bytes, args + RESERVED_SIZE, 2), CONSUME_NO_WAIT)
    return VERDICT_SINGLE
  }

  #judgeCancel(frame: Frame, args: number): Verdict {
    const { bytes, payloadEnd } = frame
    const { consumerTag, noWait } = readArguments(method.BasicCancel, bytes, args, payloadEnd)
    const tags = this.#consumerTags
    if (tags?.isUndecided(consumerTag) === true) return VERDICT_WAIT
    if (tags?.isUsed(consumerTag) !== true) return VERDICT_SINGLE
    tags.stop(consumerTag, noWait)
    if (noWait) askForAnswer(bytes, behindShortStrings(bytes, args, 1), CANCEL_NO_WAIT)
    return VERDICT_SINGLE
  }

  #judgeHeader(frame: Frame): Verdict {
    if (this.#expects !== EXPECTS_HEADER) return this.#refuseOutOfOrder()
    const at = frame.payloadStart
    if (frame.payloadSize < CONTENT_HEADER_MIN_SIZE) return this.#refuse(unknownFrame(frame))
    if (contentWeight(frame.bytes, at) !== 0) return this.#refuseInContent()
    const contentClassId = contentClass(frame.bytes, at)
    if (contentClassId !== method.BASIC_CLASS)
      return this.#refuse(
        amqpError(
          UNEXPECTED_FRAME,
          `expected content header for class ${method.BASIC_CLASS}, got one for class ${contentClassId} instead`,
          id.BASIC_PUBLISH,
        ),
      )
    if (!hasWellFormedProperties(frame.bytes, at, frame.payloadEnd, this.#limits.maxTableDepth))
      return this.#refuse(amqpError(SYNTAX_ERROR, 'malformed content properties', id.BASIC_PUBLISH))
    if (hasHeaders(frame.bytes, at) && copiesToForgedReplyTo(frame.bytes, at, frame.payloadEnd))
      return this.#refuse(INTERNAL)
    const size = contentBodySize(frame.bytes, at)
    this.#bodyMissing = size
    this.#expects = size === 0 ? EXPECTS_METHOD : EXPECTS_BODY
    if (size > this.#limits.maxMessageBytes) return this.#refuseTooLarge(contentBodySizeText(frame.bytes, at))
    return size === 0 ? VERDICT_LAST : VERDICT_PART
  }

  #judgeBody(frame: Frame): Verdict {
    if (this.#expects !== EXPECTS_BODY) return this.#refuseOutOfOrder()
    // Legal, and without any meaning; held back with a message any number of them would cost memory.
    if (frame.payloadSize === 0) return VERDICT_DROP
    this.#bodyMissing -= frame.payloadSize
    if (this.#bodyMissing > 0) return VERDICT_PART
    if (this.#bodyMissing < 0)
      return this.#refuse(
        amqpError(FRAME_ERROR, 'the body is longer than its header announced', id.BASIC_PUBLISH),
      )
    this.#expects = EXPECTS_METHOD
    return VERDICT_LAST
  }

  #refuseOutOfOrder(): Verdict {
    if (this.#expects === EXPECTS_METHOD)
      return this.#refuse(amqpError(UNEXPECTED_FRAME, 'expected method frame, got non method frame instead'))
    return this.#refuseInContent()
  }

  #refuseInContent(): Verdict {
    const text =
      this.#expects === EXPECTS_HEADER
        ? `expected content header for class ${method.BASIC_CLASS}, got non content header frame instead`
        : 'expected content body, got non content body frame instead'
    return this.#refuse(amqpError(UNEXPECTED_FRAME, text, id.BASIC_PUBLISH))
  }

  #refuseUnknown(methodId: number): Verdict {
    const text = `unknown method ${methodId >>> 16}.${methodId & 0xffff}`
    return this.#refuse(
      amqpError(method.isKnownClass(methodId) ? COMMAND_INVALID : NOT_IMPLEMENTED, text, methodId),
    )
  }

  #refuseUnimplemented(methodId: number): Verdict {
    return this.#refuse(amqpError(COMMAND_INVALID, 'unimplemented method', methodId))
  }

  #refuseTooLarge(size: string): Verdict {
    return this.#refuse(
      amqpError(
        PRECONDITION_FAILED,
        `message size ${size} is larger than configured max size ${this.#limits.maxMessageBytes}`,
        id.BASIC_PUBLISH,
      ),
    )
  }

  #refuse(refusal: AmqpError): Verdict {
    this.#refusal = refusal
    return VERDICT_REFUSED
  }
}

/** Where the flags of a Basic.Publish stand whose arguments begin at `args`: behind exchange and routing key. */
function publishFlagsAt(bytes: Uint8Array, args: number): number {
  return behindShortStrings(bytes, args + RESERVED_SIZE, 2)
}

/** Where the bits begin that follow `count` short strings at `at`. */
function behindShortStrings(bytes: Uint8Array, at: number, count: number): number {
  for (let n = 0; n < count; n++) at += 1 + bytes[at]
  return at
}

/** Takes a no-wait bit away. */
function askForAnswer(bytes: Uint8Array, flagsAt: number, noWait: number): void {
  bytes[flagsAt] &= ~noWait
}

/** What one client channel does with exclusive queues, which the broker takes for the whole upstream connection's. */
import type { Frame } from '../domain/amqp/frame.js'
import * as id from '../domain/amqp/method-ids.js'
import { readArguments } from '../domain/amqp/method-layout.js'
import * as method from '../domain/amqp/methods.js'
import { type AmqpError, RESOURCE_LOCKED, amqpError } from '../domain/amqp/reply-codes.js'
import type { ExclusiveQueues } from '../domain/queue/exclusive-queues.js'

/** A request whose answer changes what is known. */
interface Pending {
  /** What the answer makes true; undefined for a declaration that claims nothing. */
  readonly onAnswer?: (frame: Frame) => void
  /** What a refusal makes true. */
  readonly onRefusal?: () => void
  /** The client didn't ask for the answer. */
  readonly isHidden: boolean
}

const text = new TextDecoder('utf-8', { ignoreBOM: true })
/** Behind the ids and two reserved octets. */
const NAME_AT = 6
const EXCLUSIVE = 0b0_0100
const PASSIVE = 0b0_0001
const NO_WAIT = 0b1_0000

/** Watches the queue methods of one channel while it is bound to one upstream connection. */
export class ChannelQueues {
  readonly #claims: ExclusiveQueues<object>
  readonly #client: object
  readonly #virtualHost: string
  /** Answers that are still to come, of Queue.Declare and Queue.Delete, in the order of the requests. */
  readonly #declares: Pending[] = []
  readonly #deletes: Pending[] = []
  #currentQueue: string | undefined

  /** `client` is whoever the queues are exclusive to. */
  constructor(claims: ExclusiveQueues<object>, client: object, virtualHost: string) {
    this.#claims = claims
    this.#client = client
    this.#virtualHost = virtualHost
  }

  /** The queue that an empty name means on this channel: the last one declared. */
  get currentQueue(): string | undefined {
    return this.#currentQueue
  }

  /** Whether the method names a queue that may be somebody's own. */
  static concerns(methodId: number): boolean {
    return methodId >>> 16 === 50 || methodId === id.BASIC_CONSUME || methodId === id.BASIC_GET
  }

  /** Whether a method that {@link concerns} queues means the current one, by an empty name. */
  static meansCurrent(frame: Frame): boolean {
    return frame.bytes[frame.payloadStart + NAME_AT] === 0
  }

  /** Judges a well-formed method that {@link concerns} queues, and remembers what will follow from it. May change flags in the frame. */
  judge(frame: Frame): AmqpError | undefined {
    const { bytes, methodId, payloadEnd } = frame
    if (methodId !== id.QUEUE_DECLARE && this.#claims.isEmpty && methodId !== id.QUEUE_DELETE)
      return undefined
    const nameAt = frame.payloadStart + NAME_AT
    const queue = text.decode(bytes.subarray(nameAt + 1, nameAt + 1 + bytes[nameAt]))
    // An empty name is the channel's own last queue.
    if (queue !== '' && this.#claims.isLockedFor(this.#client, queue)) return this.#locked(queue, methodId)
    if (methodId === id.QUEUE_DECLARE) this.#onDeclare(frame, queue, nameAt + 1 + bytes[nameAt])
    else if (methodId === id.QUEUE_DELETE)
      this.#onDelete(queue, readArguments(method.QueueDelete, bytes, frame.payloadStart + 4, payloadEnd))
    return undefined
  }

  /** The broker answered Queue.Declare. Returns whether the client is to see it. */
  onDeclareOk(frame: Frame): boolean {
    return this.#onAnswer(this.#declares, frame)
  }

  /** The broker answered Queue.Delete. Returns whether the client is to see it. */
  onDeleteOk(frame: Frame): boolean {
    return this.#onAnswer(this.#deletes, frame)
  }

  /** The broker closed the channel: nothing that wasn't answered has happened. */
  onBrokerClose(): void {
    for (const { onRefusal } of [...this.#declares, ...this.#deletes]) onRefusal?.()
  }

  #onAnswer(pending: Pending[], frame: Frame): boolean {
    const request = pending.shift()
    request?.onAnswer?.(frame)
    return request?.isHidden !== true
  }

  #onDeclare(frame: Frame, queue: string, flagsAt: number): void {
    const flags = frame.bytes[flagsAt]
    const isSilent = (flags & NO_WAIT) !== 0
    const isExclusive = (flags & EXCLUSIVE) !== 0 && (flags & PASSIVE) === 0
    if (queue !== '') this.#currentQueue = queue
    if (isSilent && queue !== '' && !isExclusive) return
    // The answer tells whether a claim holds, and the name that the broker chose.
    frame.bytes[flagsAt] = flags & ~NO_WAIT
    const pending: Pending = { isHidden: isSilent }
    if (queue === '') {
      this.#declares.push({
        ...pending,
        onAnswer: (answer) => this.#onNamed(declaredQueue(answer), isExclusive),
      })
    } else if (
      isExclusive &&
      this.#claim(queue, new Uint8Array(frame.bytes.subarray(frame.start, frame.end)))
    ) {
      this.#declares.push({ ...pending, onRefusal: () => this.#claims.forget(this.#client, queue) })
    } else {
      this.#declares.push(pending)
    }
  }

  #onNamed(queue: string, isExclusive: boolean): void {
    this.#currentQueue = queue
    if (isExclusive) this.#claim(queue, undefined)
  }

  #onDelete(
    queue: string,
    { ifUnused, ifEmpty, noWait }: { ifUnused: boolean; ifEmpty: boolean; noWait: boolean },
  ): void {
    const forget = (): void => this.#claims.forget(this.#client, queue)
    const isCertain = noWait || !(ifUnused || ifEmpty)
    if (isCertain) forget()
    if (!noWait) this.#deletes.push(isCertain ? { isHidden: false } : { isHidden: false, onAnswer: forget })
  }

  #claim(queue: string, declaration: Uint8Array | undefined): boolean {
    return this.#claims.claim(this.#client, { queue, declaration })
  }

  #locked(queue: string, methodId: number): AmqpError {
    return amqpError(
      RESOURCE_LOCKED,
      `cannot obtain exclusive access to locked queue '${queue}' in vhost '${this.#virtualHost}'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.`,
      methodId,
    )
  }
}

function declaredQueue(frame: Frame): string {
  return readArguments(method.QueueDeclareOk, frame.bytes, frame.payloadStart + 4, frame.payloadEnd).queue
}

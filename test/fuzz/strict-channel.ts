/** One channel of the strict fake broker: what may come on it, in which order, and what is answered. */
import {
  CLIENT_METHODS,
  bodyFrame,
  frame,
  FrameType,
  idsOf,
  method,
  type MethodName,
} from '../support/wire-format.js'
import {
  fieldsOf,
  HardError,
  readContentHeader,
  readMethod,
  type Field,
  type FormedMethod,
} from './amqp-form.js'
import type { StrictConnection } from './strict-broker.js'
import { Queue, type Message, type QueueConsumer, type VirtualHost } from './virtual-host.js'

interface Publish {
  readonly exchange: string
  readonly routingKey: string
  readonly mandatory: boolean
}

/** A method that waits to be done, with its content. */
interface Work {
  readonly name: MethodName
  readonly args: Readonly<Record<string, unknown>>
  readonly content?: { readonly header: Buffer; readonly replyTo: string | undefined; readonly body: Buffer }
}

interface OpenContent {
  readonly method: FormedMethod
  header: Buffer | undefined
  replyTo: string | undefined
  missing: number
  readonly bodies: Buffer[]
}

interface Unacked {
  readonly queue: Queue
  readonly message: Message
  readonly consumer: Consumer | undefined
}

/** `starting`, `stopping`: a request about the tag hasn't been answered. */
type TagState = 'starting' | 'active' | 'stopping'

/** A soft error: it ends the channel. */
class SoftError extends Error {
  constructor(
    readonly code: number,
    text: string,
  ) {
    super(text)
  }
}

const EXCHANGE_TYPES = new Set(['direct', 'fanout', 'topic', 'headers', 'x-consistent-hash'])
const LOCATORS = new Set(['min-masters', 'client-local', 'random'])
const REPLY_TO = 'amq.rabbitmq.reply-to'
/** Bodies leave in frames of this size. */
const BODY_FRAME = 65_536

class Consumer implements QueueConsumer {
  unacked = 0

  constructor(
    readonly channel: StrictChannel,
    readonly tag: string,
    readonly queue: Queue | undefined,
    readonly noAck: boolean,
    private readonly prefetch: number,
  ) {}

  get canTake(): boolean {
    return this.noAck || this.prefetch === 0 || this.unacked < this.prefetch
  }

  take(queue: Queue, message: Message): void {
    this.channel.deliver(this, queue, message)
  }

  onQueueGone(): void {
    this.channel.onQueueGone(this)
  }
}

export class StrictChannel {
  /** Channel.Close has come. */
  private isClosing = false
  /** Channel.Close was sent. */
  private isRefused = false
  private content: OpenContent | undefined
  private readonly waiting: Work[] = []
  private readonly tags = new Map<string, TagState>()
  private readonly consumers = new Map<string, Consumer>()
  private readonly unacked = new Map<bigint, Unacked>()
  private lastDelivery = 0n
  private confirmed: bigint | undefined
  private transaction: Work[] | undefined
  private prefetch = 0
  private currentQueue = ''
  private hasReplies = false
  private named = 0

  constructor(
    private readonly connection: StrictConnection,
    readonly number: number,
  ) {}

  /** Whether a publish has begun that isn't whole. */
  get isInContent(): boolean {
    return this.content !== undefined
  }

  get isBusy(): boolean {
    return this.waiting.length > 0
  }

  private get virtualHost(): VirtualHost {
    return this.connection.virtualHost
  }

  /** The queues that the channel consumes from or has unacknowledged messages of. */
  get queuesInUse(): Set<string> {
    const names = new Set<string>()
    for (const { queue } of this.consumers.values()) if (queue !== undefined) names.add(queue.name)
    for (const { queue } of this.unacked.values()) names.add(queue.name)
    return names
  }

  /** A frame of any type but heartbeat. Throws HardError for what ends the connection. */
  onFrame(type: number, payload: Buffer): void {
    if (type === FrameType.method) this.onMethod(readMethod(payload))
    else if (type === FrameType.header) this.onHeader(payload)
    else this.onBody(payload)
  }

  private onMethod(formed: FormedMethod): void {
    const { name } = formed
    this.connection.remember(`${name} on ${this.number}`)
    if (this.content !== undefined) throw new HardError(505, `${name} within a message`)
    if (!CLIENT_METHODS.has(name)) throw new HardError(503, `${name} from a client`)
    if (name === 'channel.open') throw new HardError(504, `a second channel.open on channel ${this.number}`)
    if (name === 'channel.close-ok') return this.onCloseOk()
    if (this.isClosing) throw new HardError(504, `${name} behind channel.close`)
    if (name === 'channel.close') this.isClosing = true
    // What comes on a channel that was closed is only looked at for its form.
    else if (!this.isRefused) this.checkRequest(formed)
    if (name === 'basic.publish')
      this.content = { method: formed, header: undefined, replyTo: undefined, missing: 0, bodies: [] }
    else this.enqueue(formed)
  }

  private onHeader(payload: Buffer): void {
    const { content } = this
    if (content === undefined || content.header !== undefined)
      throw new HardError(505, 'a content header out of order')
    const { bodySize, replyTo } = readContentHeader(payload)
    content.header = Buffer.from(payload)
    content.replyTo = replyTo
    content.missing = bodySize
    this.finishContent(content)
  }

  private onBody(payload: Buffer): void {
    const { content } = this
    if (content?.header === undefined) throw new HardError(505, 'a body out of order')
    content.missing -= payload.length
    if (content.missing < 0) throw new HardError(501, 'a body that is longer than announced')
    content.bodies.push(Buffer.from(payload))
    this.finishContent(content)
  }

  private finishContent({ method: formed, header, replyTo, missing, bodies }: OpenContent): void {
    if (missing > 0) return
    this.content = undefined
    this.enqueue({ ...formed, content: { header: header!, replyTo, body: Buffer.concat(bodies) } })
  }

  private onCloseOk(): void {
    if (!this.isRefused) throw new HardError(503, 'channel.close-ok without channel.close')
    // RabbitMQ may then end the channel before the answer has left.
    if (this.waiting.some(({ name }) => name === 'channel.close'))
      this.connection.broker.violate('channel.close-ok overtakes the answer to a channel.close that crossed')
    this.workAll()
    this.connection.channels.delete(this.number)
  }

  /** What RabbitMQ's channel would end the connection for, or crash over, whatever its queues hold. */
  private checkRequest({ name, args }: FormedMethod): void {
    if (this.waiting.some((work) => work.name === 'tx.commit'))
      throw new HardError(504, `${name} while a commit is pending`)
    if (name === 'basic.publish' && args.immediate === true) throw new HardError(540, 'immediate')
    if (name === 'basic.qos' && args.prefetchSize !== 0) throw new HardError(540, 'prefetch_size')
    if (name.startsWith('basic.recover') && args.requeue === false) throw new HardError(540, 'requeue=false')
    if (name === 'channel.flow' && args.active === false) throw new HardError(540, 'active=false')
    if (name === 'basic.consume') this.checkConsume(args)
    if (name === 'basic.cancel') this.checkCancel(args.consumerTag as string)
  }

  private checkConsume(args: Readonly<Record<string, unknown>>): void {
    const tag = args.consumerTag as string
    if (tag === '') return
    const state = this.tags.get(tag)
    if (state !== undefined) throw new HardError(530, `consumer tag '${tag}' is used again (${state})`)
    this.tags.set(tag, 'starting')
  }

  private checkCancel(tag: string): void {
    const state = this.tags.get(tag)
    if (state === 'starting' || state === 'stopping')
      throw new HardError(541, `consumer '${tag}' is cancelled while it's ${state}`)
    if (this.waiting.some(({ name }) => name === 'queue.delete'))
      throw new HardError(541, 'a consumer is cancelled while its queue may be being deleted')
    if (state === 'active') this.tags.set(tag, 'stopping')
  }

  // ---- doing -----------------------------------------------------------------------------------------------------

  private enqueue(work: Work): void {
    this.waiting.push(work)
    if (!this.connection.broker.isLazy) this.workAll()
  }

  workAll(): void {
    while (this.waiting.length > 0) this.workOnce()
  }

  /** Does the method that has waited longest. */
  workOnce(): void {
    const work = this.waiting[0]
    if (work === undefined || !this.connection.isRunning) {
      this.waiting.length = 0
      return
    }
    try {
      this.perform(work)
    } catch (error) {
      if (error instanceof HardError) this.connection.fail(error, idsOf(work.name), error instanceof Poison)
      else if (error instanceof SoftError) this.refuse(error, work.name)
      else throw error
    }
    this.waiting.shift()
  }

  private refuse({ code, message }: SoftError, culprit: MethodName): void {
    const [classId, methodId] = idsOf(culprit)
    this.isRefused = true
    this.letGo()
    this.reply('channel.close', { code, text: message.slice(0, 250), classId, methodId })
  }

  /** The connection is gone. */
  release(): void {
    this.waiting.length = 0
    this.letGo()
  }

  /** Gives messages back and ends the consumers. */
  private letGo(): void {
    this.tags.clear()
    const ended = [...this.consumers.values()]
    this.consumers.clear()
    this.hasReplies = false
    for (const consumer of ended) this.endConsumer(consumer)
    const unacked = [...this.unacked.values()]
    this.unacked.clear()
    requeue(unacked)
  }

  private endConsumer(consumer: Consumer): void {
    if (consumer.queue?.remove(consumer) === true) this.virtualHost.deleteQueue(consumer.queue)
  }

  private reply(name: MethodName, args: Record<string, unknown> = {}): void {
    this.connection.send(method(this.number, name, args))
  }

  private perform({ name, args, content }: Work): void {
    if (name === 'channel.close') return this.close()
    if (this.isRefused) return
    const arg = args as Record<string, never>
    switch (name) {
      case 'channel.flow':
        return this.reply('channel.flow-ok', { active: true })
      case 'access.request':
        return this.reply('access.request-ok', { ticket: 1 })
      case 'exchange.declare':
        return this.declareExchange(arg)
      case 'exchange.delete':
        return this.deleteExchange(arg)
      case 'exchange.bind':
      case 'exchange.unbind':
        return this.bindExchange(name, arg)
      case 'queue.declare':
        return this.declareQueue(arg)
      case 'queue.bind':
      case 'queue.unbind':
        return this.bindQueue(name, arg)
      case 'queue.purge': {
        const queue = this.queueOf(arg.queue)
        const messageCount = queue.ready.splice(0).length
        return this.answer(arg.nowait, 'queue.purge-ok', { messageCount })
      }
      case 'queue.delete':
        return this.deleteQueue(arg)
      case 'basic.qos':
        this.prefetch = arg.prefetchCount
        return this.reply('basic.qos-ok')
      case 'basic.consume':
        return this.consume(arg)
      case 'basic.cancel':
        return this.cancel(arg)
      case 'basic.publish':
        return this.publish({ name, args, content: content! })
      case 'basic.get':
        return this.get(arg)
      case 'basic.ack':
        return void this.take(arg.deliveryTag, arg.multiple)
      case 'basic.reject':
        return this.reject(arg.deliveryTag, false, arg.requeue)
      case 'basic.nack':
        return this.reject(arg.deliveryTag, arg.multiple, arg.requeue)
      case 'basic.recover':
      case 'basic.recover-async':
        return this.recover(name)
      case 'confirm.select':
        if (this.transaction !== undefined) throw new SoftError(406, 'PRECONDITION_FAILED - tx')
        this.confirmed ??= 0n
        return this.answer(arg.nowait, 'confirm.select-ok')
      default:
        return this.transact(name)
    }
  }

  private close(): void {
    this.reply('channel.close-ok')
    if (this.isRefused) return
    this.letGo()
    this.connection.channels.delete(this.number)
  }

  private answer(isUnwanted: boolean, name: MethodName, args: Record<string, unknown> = {}): void {
    if (!isUnwanted) this.reply(name, args)
  }

  // ---- exchanges -------------------------------------------------------------------------------------------------

  private declareExchange(args: Record<string, never>): void {
    const [name, type] = [String(args.exchange), String(args.type)]
    const known = this.virtualHost.exchanges.get(name)
    if (args.passive) {
      if (known === undefined) throw new SoftError(404, `NOT_FOUND - no exchange '${name}'`)
      return this.answer(args.nowait, 'exchange.declare-ok')
    }
    if (!EXCHANGE_TYPES.has(type)) throw new HardError(503, `unknown exchange type '${type}'`)
    if (known === undefined && (name === '' || name.startsWith('amq.')))
      throw new SoftError(403, 'ACCESS_REFUSED - reserved')
    if (known !== undefined && known.type !== type)
      throw new SoftError(406, `PRECONDITION_FAILED - inequivalent arg 'type'`)
    this.virtualHost.exchanges.set(name, { type })
    this.answer(args.nowait, 'exchange.declare-ok')
  }

  private deleteExchange(args: Record<string, never>): void {
    const name = String(args.exchange)
    if (name === '' || name.startsWith('amq.')) throw new SoftError(403, 'ACCESS_REFUSED - reserved')
    if (args.ifUnused && this.virtualHost.isUsed(name))
      throw new SoftError(406, 'PRECONDITION_FAILED - in use')
    this.virtualHost.deleteExchange(name)
    this.answer(args.nowait, 'exchange.delete-ok')
  }

  private bindExchange(name: 'exchange.bind' | 'exchange.unbind', args: Record<string, never>): void {
    const { source, destination, routingKey, nowait } = args
    for (const exchange of [source, destination]) this.checkExchange(exchange, true)
    if (name === 'exchange.bind') this.virtualHost.bind(source, destination, routingKey)
    else this.virtualHost.unbind(source, destination, routingKey)
    this.answer(nowait, `${name}-ok`)
  }

  private checkExchange(name: string, isForBinding: boolean): void {
    if (isForBinding && name === '') throw new SoftError(403, 'ACCESS_REFUSED - the default exchange')
    if (!this.virtualHost.exchanges.has(name)) throw new SoftError(404, `NOT_FOUND - no exchange '${name}'`)
  }

  // ---- queues ----------------------------------------------------------------------------------------------------

  /** The queue of that name, or the current one; throws when it isn't there, or another connection's. */
  private queueOf(given: string): Queue {
    const name = given === '' ? this.currentQueue : given.replace(/[\r\n]/g, '')
    const queue = name === '' ? undefined : this.virtualHost.queues.get(name)
    if (queue === undefined) throw new SoftError(404, `NOT_FOUND - no queue '${name}'`)
    if (queue.owner !== undefined && queue.owner !== this.connection)
      throw new SoftError(405, `RESOURCE_LOCKED - '${name}'`)
    return queue
  }

  private declareQueue(args: Record<string, never>): void {
    if (args.passive) return this.answerDeclare(this.queueOf(args.queue), args.nowait)
    checkQueueArguments(fieldsOf(args.arguments))
    const given = String(args.queue).replace(/[\r\n]/g, '')
    const known = this.virtualHost.queues.get(given)
    if (known !== undefined) {
      if (this.queueOf(given).durable !== args.durable || (known.owner !== undefined) !== args.exclusive)
        throw new SoftError(406, `PRECONDITION_FAILED - inequivalent arg for queue '${given}'`)
      return this.answerDeclare(known, args.nowait)
    }
    if (given.startsWith('amq.')) throw new SoftError(403, 'ACCESS_REFUSED - reserved')
    const name = given === '' ? this.connection.broker.newName() : given
    const owner = args.exclusive ? this.connection : undefined
    const isBounded = !name.startsWith('neighbour')
    const queue = new Queue(name, owner, args.durable, args.autoDelete, isBounded)
    this.virtualHost.queues.set(name, queue)
    this.answerDeclare(queue, args.nowait)
  }

  private answerDeclare(queue: Queue, isUnwanted: boolean): void {
    this.currentQueue = queue.name
    this.answer(isUnwanted, 'queue.declare-ok', {
      queue: queue.name,
      messageCount: queue.ready.length,
      consumerCount: queue.consumers.length,
    })
  }

  private bindQueue(name: 'queue.bind' | 'queue.unbind', args: Record<string, never>): void {
    const queue = this.queueOf(args.queue)
    this.checkExchange(args.exchange, true)
    if (name === 'queue.bind') this.virtualHost.bind(args.exchange, queue, args.routingKey)
    else this.virtualHost.unbind(args.exchange, queue, args.routingKey)
    this.answer(name === 'queue.bind' && args.nowait, `${name}-ok`)
  }

  private deleteQueue(args: Record<string, never>): void {
    let messageCount = 0
    const name = args.queue === '' ? this.currentQueue : String(args.queue)
    if (name === '' || this.virtualHost.queues.has(name)) {
      const queue = this.queueOf(name)
      if (args.ifUnused && queue.consumers.length > 0)
        throw new SoftError(406, 'PRECONDITION_FAILED - in use')
      if (args.ifEmpty && queue.ready.length > 0) throw new SoftError(406, 'PRECONDITION_FAILED - not empty')
      messageCount = queue.ready.length
      this.virtualHost.deleteQueue(queue)
    }
    this.answer(args.nowait, 'queue.delete-ok', { messageCount })
  }

  // ---- consuming -------------------------------------------------------------------------------------------------

  private consume(args: Record<string, never>): void {
    const fields = fieldsOf(args.arguments)
    if (fields.has('x-credit')) throw new Poison(541, 'x-credit')
    checkOffset(fields.get('x-stream-offset'))
    const tag = args.consumerTag === '' ? `amq.ctag-${this.number}-${++this.named}` : String(args.consumerTag)
    if (this.consumers.has(tag)) throw new HardError(530, `attempt to reuse consumer tag '${tag}'`)
    let queue: Queue | undefined
    if (args.queue === REPLY_TO) {
      if (!args.noAck || this.hasReplies) throw new SoftError(406, 'PRECONDITION_FAILED - reply consumer')
      this.hasReplies = true
    } else {
      queue = this.queueOf(args.queue)
      if (args.exclusive && queue.consumers.length > 0) throw new SoftError(403, 'ACCESS_REFUSED - exclusive')
    }
    const consumer = new Consumer(this, tag, queue, args.noAck, this.prefetch)
    this.consumers.set(tag, consumer)
    this.tags.set(tag, 'active')
    this.answer(args.nowait, 'basic.consume-ok', { consumerTag: tag })
    queue?.add(consumer)
  }

  private cancel({ consumerTag, nowait }: Record<string, never>): void {
    const consumer = this.consumers.get(consumerTag)
    this.tags.delete(consumerTag)
    this.consumers.delete(consumerTag)
    if (consumer !== undefined && consumer.queue === undefined) this.hasReplies = false
    if (consumer !== undefined) this.endConsumer(consumer)
    this.answer(nowait, 'basic.cancel-ok', { consumerTag })
  }

  /** The queue of a consumer was deleted. */
  onQueueGone(consumer: Consumer): void {
    if (this.consumers.get(consumer.tag) !== consumer) return
    this.consumers.delete(consumer.tag)
    // A cancellation that is under way is answered all the same.
    if (this.tags.get(consumer.tag) === 'active') this.tags.delete(consumer.tag)
    this.reply('basic.cancel', { consumerTag: consumer.tag, nowait: true })
  }

  deliver(consumer: Consumer, queue: Queue, message: Message): void {
    const deliveryTag = this.handOut(queue, message, consumer.noAck ? 'nobody' : consumer)
    this.sendMessage(
      method(this.number, 'basic.deliver', {
        consumerTag: consumer.tag,
        deliveryTag: Number(deliveryTag),
        redelivered: message.isRedelivered,
        exchange: message.exchange,
        routingKey: message.routingKey,
      }),
      message,
    )
  }

  private handOut(queue: Queue, message: Message, to: Consumer | 'nobody' | undefined): bigint {
    const tag = ++this.lastDelivery
    if (to === 'nobody') return tag
    this.unacked.set(tag, { queue, message, consumer: to })
    if (to !== undefined) to.unacked++
    return tag
  }

  private sendMessage(first: Buffer, { header, body }: Message): void {
    const frames = [first, frame(FrameType.header, this.number, header)]
    for (let at = 0; at < body.length; at += BODY_FRAME)
      frames.push(bodyFrame(this.number, body.subarray(at, at + BODY_FRAME)))
    this.connection.send(...frames)
  }

  private get({ queue: name, noAck }: Record<string, never>): void {
    const queue = this.queueOf(name)
    const message = queue.ready.shift()
    if (message === undefined) return this.reply('basic.get-empty')
    const deliveryTag = this.handOut(queue, message, noAck ? 'nobody' : undefined)
    const { exchange, routingKey, isRedelivered: redelivered } = message
    const args = {
      deliveryTag: Number(deliveryTag),
      redelivered,
      exchange,
      routingKey,
      messageCount: queue.ready.length,
    }
    this.sendMessage(method(this.number, 'basic.get-ok', args), message)
  }

  /** Takes what a tag stands for out of what is unacknowledged. */
  private take(deliveryTag: bigint, multiple: boolean): Unacked[] {
    const isAll = multiple && deliveryTag === 0n
    if (!isAll && !this.unacked.has(deliveryTag))
      throw new SoftError(406, `PRECONDITION_FAILED - unknown delivery tag ${deliveryTag}`)
    const taken: Unacked[] = []
    for (const [tag, entry] of this.unacked) {
      if (!isAll && tag !== deliveryTag && (!multiple || tag > deliveryTag)) continue
      this.unacked.delete(tag)
      taken.push(entry)
      if (entry.consumer !== undefined) entry.consumer.unacked--
    }
    for (const queue of new Set(taken.map((entry) => entry.queue))) queue.pump()
    return taken
  }

  private reject(deliveryTag: bigint, multiple: boolean, isRequeued: boolean): void {
    const taken = this.take(deliveryTag, multiple)
    if (isRequeued) requeue(taken)
  }

  private recover(name: MethodName): void {
    const entries = [...this.unacked.values()]
    this.unacked.clear()
    for (const { consumer } of entries) if (consumer !== undefined) consumer.unacked--
    if (name === 'basic.recover') this.reply('basic.recover-ok')
    requeue(entries)
  }

  // ---- publishing ------------------------------------------------------------------------------------------------

  private publish(work: Work): void {
    const { exchange, routingKey, mandatory } = work.args as unknown as Publish
    this.checkExchange(exchange, false)
    const { header, body, replyTo } = work.content!
    if (replyTo === REPLY_TO && !this.hasReplies)
      throw new SoftError(406, 'PRECONDITION_FAILED - fast reply consumer does not exist')
    if (exchange === '' && isForged(routingKey)) throw new Poison(541, `a forged reply-to, ${routingKey}`)
    if (this.transaction !== undefined) {
      this.transaction.push(work)
      return
    }
    const message: Message = { exchange, routingKey, header, body, isRedelivered: false }
    this.connection.broker.onPublish(message, this.connection, this.number)
    const queues = this.virtualHost.route(exchange, routingKey)
    if (queues.size === 0 && mandatory)
      this.sendMessage(
        method(this.number, 'basic.return', { code: 312, text: 'NO_ROUTE', exchange, routingKey }),
        message,
      )
    for (const queue of queues) queue.put({ ...message })
    if (this.confirmed !== undefined) this.reply('basic.ack', { deliveryTag: Number(++this.confirmed) })
  }

  private transact(name: MethodName): void {
    if (name === 'tx.select') {
      if (this.confirmed !== undefined) throw new SoftError(406, 'PRECONDITION_FAILED - confirm')
      this.transaction ??= []
      return this.reply('tx.select-ok')
    }
    const held = this.transaction
    if (held === undefined) throw new SoftError(406, 'PRECONDITION_FAILED - channel is not transactional')
    if (name === 'tx.commit') {
      this.transaction = undefined
      for (const work of held) this.publish(work)
    }
    this.transaction = []
    this.reply(`${name}-ok` as MethodName)
  }
}

/** What may not even be tried. */
class Poison extends HardError {}

/** Direct reply-to addresses hold a process in Erlang's external term format, in base64, and a key; RabbitMQ crashes over others of that form. */
function isForged(routingKey: string): boolean {
  const parts = routingKey.split('.')
  const isAddress = routingKey.startsWith(`${REPLY_TO}.`) && parts.length === 5
  if (!isAddress || parts[3] === '' || parts[4] === '') return false
  const term = Buffer.from(parts[3], 'base64')
  if (term.toString('base64') !== parts[3]) return true
  // Version, NEW_PID_EXT, the node as an atom behind its tag and length, twelve octets.
  const isShort = term[2] === 0x77
  const nodeAt = isShort ? 4 : 5
  const size = isShort ? term[3] : term.length > 5 ? term.readUInt16BE(3) : 0
  const isProcess = term[0] === 0x83 && term[1] === 0x58 && 'wdv'.includes(String.fromCharCode(term[2]))
  const node = term.subarray(nodeAt, nodeAt + size).toString('latin1')
  return !isProcess || !/^reply@\d+$/.test(node) || term.length !== nodeAt + size + 12
}

function checkQueueArguments(fields: Map<string, Field>): void {
  const locator = fields.get('x-queue-master-locator')
  if (locator !== undefined && 'fdD'.includes(locator.tag))
    throw new Poison(541, 'a locator that is a number')
  if (locator !== undefined && (locator.tag !== 'S' || !LOCATORS.has(locator.bytes.toString())))
    throw new HardError(541, 'a locator that is unknown')
  const age = fields.get('x-max-age')
  if (age?.tag === 'S' && !/^\d/.test(age.bytes.toString())) throw new HardError(541, 'x-max-age')
}

function checkOffset(offset: Field | undefined): void {
  if (offset === undefined || 'bBsuIilLT'.includes(offset.tag)) return
  if (offset.tag === 'S' && /^(first$|last$|next$|\d)/.test(offset.bytes.toString())) return
  throw new HardError(541, 'x-stream-offset')
}

/** In the order in which they were. */
function requeue(entries: readonly Unacked[]): void {
  for (const queue of new Set(entries.map((entry) => entry.queue)))
    queue.requeue(entries.filter((entry) => entry.queue === queue).map(({ message }) => message))
}

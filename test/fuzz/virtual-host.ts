/** Exchanges, queues and messages of the strict fake broker: as much of RabbitMQ's meaning as makes its answers plausible. */

export interface Message {
  readonly exchange: string
  readonly routingKey: string
  /** The payload of the content header, as it came. */
  readonly header: Buffer
  readonly body: Buffer
  isRedelivered: boolean
}

/** Who receives messages of a queue. */
export interface QueueConsumer {
  readonly canTake: boolean
  take(queue: Queue, message: Message): void
  /** The queue is gone. */
  onQueueGone(): void
}

/** What a connection is to the queues that are exclusive to it. */
export type ConnectionIdentity = object

/** Rude clients fill queues that nobody empties. */
const MOST_MESSAGES = 200

export class Queue {
  readonly consumers: QueueConsumer[] = []
  ready: Message[] = []
  private hadConsumers = false

  constructor(
    readonly name: string,
    readonly owner: ConnectionIdentity | undefined,
    readonly durable: boolean,
    readonly autoDelete: boolean,
    /** Messages that are dropped beyond the bound are of no interest. */
    private readonly isBounded: boolean,
  ) {}

  put(message: Message): void {
    this.ready.push(message)
    if (this.isBounded && this.ready.length > MOST_MESSAGES) this.ready.shift()
    this.pump()
  }

  requeue(messages: readonly Message[]): void {
    for (const message of messages) message.isRedelivered = true
    this.ready.unshift(...messages)
    this.pump()
  }

  add(consumer: QueueConsumer): void {
    this.consumers.push(consumer)
    this.hadConsumers = true
    this.pump()
  }

  /** Returns whether the queue is to be deleted: that was its last consumer. */
  remove(consumer: QueueConsumer): boolean {
    const at = this.consumers.indexOf(consumer)
    if (at >= 0) this.consumers.splice(at, 1)
    return this.autoDelete && this.hadConsumers && this.consumers.length === 0
  }

  /** Hands out what can be handed out, to the consumers in turn. */
  pump(): void {
    while (this.ready.length > 0) {
      const at = this.consumers.findIndex((consumer) => consumer.canTake)
      if (at < 0) return
      const [consumer] = this.consumers.splice(at, 1)
      this.consumers.push(consumer)
      consumer.take(this, this.ready.shift()!)
    }
  }
}

export interface Exchange {
  readonly type: string
}

interface Binding {
  readonly source: string
  readonly target: Queue | string
  readonly key: string
}

export class VirtualHost {
  readonly queues = new Map<string, Queue>()
  readonly exchanges = new Map<string, Exchange>([
    ['', { type: 'direct' }],
    ['amq.direct', { type: 'direct' }],
    ['amq.fanout', { type: 'fanout' }],
    ['amq.topic', { type: 'topic' }],
    ['amq.headers', { type: 'headers' }],
    ['amq.match', { type: 'headers' }],
  ])
  private bindings: Binding[] = []

  bind(source: string, target: Queue | string, key: string): void {
    this.unbind(source, target, key)
    this.bindings.push({ source, target, key })
  }

  unbind(source: string, target: Queue | string, key: string): void {
    this.bindings = this.bindings.filter(
      (binding) => binding.source !== source || binding.target !== target || binding.key !== key,
    )
  }

  isUsed(exchange: string): boolean {
    return this.bindings.some(({ source }) => source === exchange)
  }

  deleteExchange(exchange: string): void {
    this.exchanges.delete(exchange)
    this.bindings = this.bindings.filter(({ source, target }) => source !== exchange && target !== exchange)
  }

  deleteQueue(queue: Queue): void {
    if (this.queues.get(queue.name) !== queue) return
    this.queues.delete(queue.name)
    this.bindings = this.bindings.filter(({ target }) => target !== queue)
    for (const consumer of queue.consumers.splice(0)) consumer.onQueueGone()
  }

  /** The queues that a message goes to. */
  route(exchange: string, key: string): Set<Queue> {
    const found = new Set<Queue>()
    if (exchange === '') {
      const queue = this.queues.get(key)
      if (queue !== undefined) found.add(queue)
    } else this.follow(exchange, key, found, new Set())
    return found
  }

  private follow(exchange: string, key: string, found: Set<Queue>, seen: Set<string>): void {
    const type = this.exchanges.get(exchange)?.type
    if (type === undefined || seen.has(exchange)) return
    seen.add(exchange)
    for (const { source, target, key: pattern } of this.bindings) {
      if (source !== exchange || !matches(type, pattern, key)) continue
      if (typeof target === 'string') this.follow(target, key, found, seen)
      else found.add(target)
    }
  }
}

function matches(type: string, pattern: string, key: string): boolean {
  if (type === 'fanout' || pattern === '#') return true
  if (type !== 'topic') return type === 'direct' && pattern === key
  const [wanted, words] = [pattern.split('.'), key.split('.')]
  return wanted.length === words.length && wanted.every((word, at) => word === '*' || word === words[at])
}

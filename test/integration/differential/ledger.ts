/** What a session knows of itself, from what the broker has said: enough to say what is legal next, and what would be a matter of chance. */

/** The shape of a session: who takes part. */
export interface Cast {
  readonly clients: readonly {
    /** Index of the user's name. */
    readonly user: number
    readonly channels: number
    readonly frameMax: number
  }[]
}

/** What a channel is used for, by Warren's judgement. */
export type Role = 'publisher' | 'consumer'

/** A consumer of a channel. */
export interface Consumer {
  readonly queue: string
  readonly noAck: boolean
}

/** An open channel. */
export class ChannelState {
  mode: 'plain' | 'confirm' | 'tx' = 'plain'
  /** Publishes in confirm mode, and how many were confirmed. */
  published = 0
  confirmed = 0
  readonly consumers = new Map<string, Consumer>()
  /** Delivery tags that were not acknowledged, in order. */
  unacked: number[] = []
  /** What an empty queue name means. */
  current = ''
  /** The only queue that the channel consumes from. */
  consumesFrom: string | undefined
  /** Queues of which the channel may hold messages. */
  readonly holds = new Set<string>()
  /** Whether it has ever had a prefetch limit of the whole channel. What is requeued then races with the limiter's word that there is room. */
  hasLimiter = false
  /** Whether it has asked anything of the broker. */
  isBound = false
  role: Role | undefined
  /** Channels with the same group are certainly on one upstream connection. */
  group = 0
}

/** A client that is connected. */
export interface ClientState {
  readonly channels: Map<number, ChannelState>
}

interface ExclusiveQueue {
  readonly client: number
  readonly group: number
}

/** One session's knowledge of itself. */
export class Ledger {
  readonly clients = new Map<number, ClientState>()
  /** Aliases of queues that the server has named. */
  readonly generated: string[] = []
  /** Aliases of reply addresses that were seen. */
  readonly replyAddresses: string[] = []
  /** How many messages were published. */
  messages = 0
  /** What there is at the broker. */
  queues: ReadonlySet<string> = new Set()
  exchanges: ReadonlySet<string> = new Set()
  readonly #exclusives = new Map<string, ExclusiveQueue>()
  #groups = 0

  constructor(readonly cast: Cast) {}

  channel(client: number, channel: number): ChannelState | undefined {
    return this.clients.get(client)?.channels.get(channel)
  }

  /** RabbitMQ gives a message back from each channel of a client that leaves in any order, so a queue's messages are held by one of them only. */
  mayHold(client: number, channel: number, queue: string): boolean {
    for (const [number, state] of this.clients.get(client)!.channels)
      if (number !== channel && state.holds.has(queue)) return false
    return true
  }

  /** Deliveries of two queues to one channel come in any order. */
  mayConsume(client: number, channel: number, queue: string): boolean {
    const { consumesFrom } = this.channel(client, channel)!
    return (consumesFrom === undefined || consumesFrom === queue) && this.mayHold(client, channel, queue)
  }

  /**
   * A known limit of Warren's: an exclusive queue can't be reached from a channel of its owner that was in use on another upstream
   * connection before. False when that might be so.
   */
  canReach(client: number, channel: number, queue: string, role?: Role): boolean {
    const exclusive = this.#exclusives.get(queue)
    if (exclusive?.client !== client) return true
    return this.#groupAfter(client, this.channel(client, channel)!, role) === exclusive.group
  }

  /** Whether the queue is there, and not another client's own. */
  isUsable(client: number, queue: string): boolean {
    return this.queues.has(queue) && !this.isLocked(client, queue)
  }

  /** Whether the queue is another client's own. */
  isLocked(client: number, queue: string): boolean {
    return (this.#exclusives.get(queue)?.client ?? client) !== client
  }

  usableQueues(client: number): string[] {
    return [...this.queues].filter((queue) => this.isUsable(client, queue))
  }

  /** The channel is about to send something of its role. */
  tell(client: number, channel: number, role: Role | undefined): void {
    const state = this.channel(client, channel)!
    state.group = this.#groupAfter(client, state, role) ?? ++this.#groups
    state.isBound = true
    state.role ??= role
  }

  /** Takes note of what there is at the broker; the new exclusive queues were declared on this channel. */
  noteState(lines: readonly string[], client: number, channel: number): void {
    const named = (pattern: RegExp): string[] => lines.flatMap((line) => pattern.exec(line)?.[1] ?? [])
    this.queues = new Set(named(/^queue ([^?]*) exclusive=/))
    this.exchanges = new Set([...named(/^exchange (\S+) /), 'amq.direct', 'amq.fanout', 'amq.topic'])
    this.#noteExclusives(named(/^queue (.*) exclusive=true/), client, channel)
  }

  #noteExclusives(names: readonly string[], client: number, channel: number): void {
    for (const name of this.#exclusives.keys()) if (!names.includes(name)) this.#exclusives.delete(name)
    const group = this.channel(client, channel)?.group
    for (const name of names)
      if (group !== undefined && !this.#exclusives.has(name)) this.#exclusives.set(name, { client, group })
  }

  /** Undefined for one that nothing is known of. */
  #groupAfter(client: number, state: ChannelState, role: Role | undefined): number | undefined {
    const groups = new Set<number>()
    for (const queue of this.#exclusives.values()) if (queue.client === client) groups.add(queue.group)
    if (!state.isBound) return role !== 'publisher' && groups.size === 1 ? [...groups][0] : undefined
    const isTelling = state.role === undefined && role !== undefined
    const mayMove = isTelling && !(role === 'consumer' && groups.has(state.group))
    return mayMove ? undefined : state.group
  }
}

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
  /**
   * Queues from which it has consumed with a tag of the server's: RabbitMQ takes messages back consumer by consumer, in the order of
   * their tags, and with two such on one queue that's left to chance.
   */
  readonly taggedByServer = new Set<string>()
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
  /** Whether it has a state at the broker with which Warren can't move it: it has consumed, got, recovered, or declared an exclusive queue. */
  isFixed = false
  /** Whether it has published in no mode: with a publish buffer Warren then has it in confirm mode. */
  isTracked = false
  /** Whether it has published in its transaction. */
  hasWork = false
  /** Channels with the same group are certainly on one upstream connection. */
  group = 0
}

/** A client that is connected. */
export interface ClientState {
  readonly channels: Map<number, ChannelState>
  /** The groups in which it has declared exclusive queues, also such as are gone: RabbitMQ doesn't tell Warren of one that is auto-deleted. */
  readonly places: Set<number>
}

/** What a channel is about to do, as far as it matters for where it is. */
export interface Intent {
  readonly role?: Role | undefined
  /** Whether it asks for direct replies: Warren then takes it for a publisher, unless the client has exclusive queues. */
  readonly asksForReplies?: boolean | undefined
  /** The queue that it names. */
  readonly queue?: string | undefined
  readonly declaresExclusive?: boolean | undefined
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

  /** `hasBuffer`: Warren asks for confirms on channels whose clients don't. */
  constructor(
    readonly cast: Cast,
    readonly hasBuffer: boolean,
  ) {}

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
   * A known limit of Warren's: an exclusive queue can't be reached from a channel of its owner that has a state on another upstream
   * connection. False when that might be so.
   */
  canReach(client: number, channel: number, intent: Intent): boolean {
    const exclusive = this.#exclusives.get(intent.queue ?? '')
    if (exclusive?.client !== client) return true
    return this.#groupAfter(client, this.channel(client, channel)!, intent) === exclusive.group
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

  /** The channel is about to do something. */
  tell(client: number, channel: number, intent: Intent): void {
    const state = this.channel(client, channel)!
    state.group = this.#groupAfter(client, state, intent) ?? ++this.#groups
    state.isBound = true
    state.role ??= this.#roleOf(client, intent)
    if (intent.role === 'consumer') state.isFixed = true
    if (intent.declaresExclusive === true) this.clients.get(client)!.places.add(state.group)
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

  #roleOf(client: number, { role, asksForReplies }: Intent): Role | undefined {
    const owns = [...this.#exclusives.values()].some((queue) => queue.client === client)
    return asksForReplies === true && !owns ? 'publisher' : role
  }

  /** Undefined for one that nothing is known of. */
  #groupAfter(client: number, state: ChannelState, intent: Intent): number | undefined {
    const { queue, declaresExclusive } = intent
    const role = this.#roleOf(client, intent)
    const { places } = this.clients.get(client)!
    const live = new Set<number>()
    for (const queue of this.#exclusives.values()) if (queue.client === client) live.add(queue.group)
    const [home] = live.size > 0 && places.size === 1 ? places : []
    const group = groupByRole(state, role, live, home)
    if (state.isFixed || state.hasWork) return group
    // Warren moves it to where the queue is, and a further queue to where the others are.
    const exclusive = this.#exclusives.get(queue ?? '')
    if (exclusive?.client === client) return exclusive.group
    const mayMove = declaresExclusive === true && places.size > 0 && !(group !== undefined && live.has(group))
    return mayMove ? home : group
  }
}

/** `live` are the groups of the client's exclusive queues, `home` is where Warren puts its channels for them, if that is certain. */
function groupByRole(
  state: ChannelState,
  role: Role | undefined,
  live: ReadonlySet<number>,
  home: number | undefined,
): number | undefined {
  if (!state.isBound) return role === 'publisher' ? undefined : home
  const isTelling = state.role === undefined && role !== undefined
  const mayMove = isTelling && !(role === 'consumer' && live.has(state.group))
  return mayMove ? undefined : state.group
}

/** What all commands of a session have in common: where they are sent, when they are legal, what is noted after them. */
import type fc from 'fast-check'
import type { Args, MethodName } from '../../../support/wire-client.js'
import type { ChannelState, Intent, Ledger, Role } from '../ledger.js'
import type { Lockstep } from '../lockstep.js'
import type { Event, Side } from '../side.js'

/** Runs in both worlds. */
export type Command = fc.AsyncCommand<Ledger, Lockstep>

/** Where a command is sent; it's left out if the session has no such client or channel. */
export interface Spot {
  readonly client: number
  readonly channel: number
  /** Whether it's sent though the broker will refuse it. */
  readonly isDaring?: boolean
}

/** A command of one client. */
export abstract class OnClient implements Command {
  constructor(readonly spot: Spot) {}

  get client(): number {
    return this.spot.client
  }

  get channel(): number {
    return this.spot.channel
  }

  abstract check(ledger: Readonly<Ledger>): boolean
  abstract run(ledger: Ledger, lockstep: Lockstep): Promise<void>
  abstract toString(): string

  /** Takes note of what a step has brought, to all clients. */
  protected after(ledger: Ledger, lockstep: Lockstep): void {
    noteEvents(ledger, lockstep)
    ledger.noteState(lockstep.state, this.client, this.channel)
  }
}

/** What came to any client in the last step. */
function noteEvents(ledger: Ledger, { last }: Lockstep): void {
  for (const [place, events] of last) {
    const [client, channel] = place.split('.').map(Number)
    for (const event of events) noteEvent(ledger, client, channel, event)
  }
}

function noteEvent(ledger: Ledger, client: number, channel: number, { name, args, content }: Event): void {
  const state = ledger.channel(client, channel)
  const replyTo = content?.properties['replyTo']
  if (typeof replyTo === 'string' && replyTo.startsWith('reply-address(request'))
    if (!ledger.replyAddresses.includes(replyTo)) ledger.replyAddresses.push(replyTo)
  if (name === 'connection.close') ledger.clients.delete(client)
  else if (name === 'channel.close') ledger.clients.get(client)?.channels.delete(channel)
  else if (state === undefined) return
  else if (name === 'basic.deliver') {
    if (state.consumers.get(args['consumerTag'] as string)?.noAck === false)
      state.unacked.push(args['deliveryTag'] as number)
  } else if (name === 'basic.cancel') state.consumers.delete(args['consumerTag'] as string)
  else if (name === 'basic.ack' || name === 'basic.nack') state.confirmed++
}

/** A command on an open channel. */
export abstract class OnChannel extends OnClient {
  /** Where it was sent, if not where it was meant to be. */
  #place: Omit<Spot, 'isDaring'> = this.spot

  override get client(): number {
    return this.#place.client
  }

  override get channel(): number {
    return this.#place.channel
  }

  /** Looks for another channel if it can't be sent on its own, so that most commands of a session find their place. */
  check(ledger: Readonly<Ledger>): boolean {
    const open = [...ledger.clients].flatMap(([client, { channels }]) =>
      [...channels.keys()].map((channel) => ({ client, channel })),
    )
    const first = open.length === 0 ? 0 : (this.spot.client * 4 + this.spot.channel) % open.length
    for (const place of [this.spot, ...open.slice(first), ...open.slice(0, first)]) {
      this.#place = place
      const state = ledger.channel(place.client, place.channel)
      if (state === undefined || !this.isLegal(ledger, state)) continue
      if (this.spot.isDaring === true || !this.wouldFail(ledger, state)) return true
    }
    return false
  }

  async run(ledger: Ledger, lockstep: Lockstep): Promise<void> {
    const state = ledger.channel(this.client, this.channel)!
    ledger.tell(this.client, this.channel, this.intent(ledger, state))
    await this.perform(lockstep, state, ledger)
    this.after(ledger, lockstep)
  }

  toString(): string {
    return `${this.client}.${this.channel} ${this.describe()}`
  }

  /** What matters for where Warren has the channel. */
  protected intent(ledger: Readonly<Ledger>, state: ChannelState): Intent {
    void [ledger, state]
    return { role: this.role }
  }

  /** What the method tells about the use of its channel. */
  protected get role(): Role | undefined {
    return undefined
  }

  /** Whether it's within AMQP's rules, and its effect isn't left to chance. */
  protected isLegal(ledger: Readonly<Ledger>, state: ChannelState): boolean {
    void [ledger, state]
    return true
  }

  /** Whether the broker will close the channel for it, as far as that is easily foreseen. Such errors are part of sessions, but not the most of them. */
  protected wouldFail(ledger: Readonly<Ledger>, state: ChannelState): boolean {
    void [ledger, state]
    return false
  }

  protected abstract perform(lockstep: Lockstep, state: ChannelState, ledger: Ledger): Promise<void>
  protected abstract describe(): string

  /** Sends a method that has a nowait flag. */
  protected send<N extends MethodName>(
    lockstep: Lockstep,
    name: N,
    answer: MethodName,
    nowait: boolean,
    args: (side: Side) => Partial<Args<N>>,
  ): Promise<readonly Event[]> {
    const { client, channel } = this
    if (!nowait) return lockstep.request(client, channel, name, args, [answer])
    return lockstep.tell(client, channel, name, (side) => ({ ...args(side), nowait: true }))
  }
}

/** Any method whose answer changes nothing that the ledger knows. */
export class Plain<N extends MethodName> extends OnChannel {
  constructor(
    spot: Spot,
    readonly name: N,
    readonly answer: MethodName,
    readonly args: Partial<Args<N>>,
    readonly isSilent = false,
  ) {
    super(spot)
  }

  protected override get role(): Role | undefined {
    return this.name.startsWith('basic.recover') ? 'consumer' : undefined
  }

  protected override wouldFail(ledger: Readonly<Ledger>, { mode }: ChannelState): boolean {
    if (this.name === 'tx.commit' || this.name === 'tx.rollback') return mode !== 'tx'
    if (!this.name.startsWith('exchange.')) return false
    const args = this.args as Partial<Record<'exchange' | 'source' | 'destination', string>>
    const names = [args.exchange, args.source, args.destination].filter((given) => given !== undefined)
    // A new one may have any properties.
    if (this.name === 'exchange.declare') return !/^e\d/.test(names[0]) || ledger.exchanges.has(names[0])
    return names.some((given) => !ledger.exchanges.has(given))
  }

  protected async perform(lockstep: Lockstep, state: ChannelState): Promise<void> {
    if ((this.args as { global?: boolean }).global === true) state.hasLimiter = true
    if (this.name === 'tx.commit' || this.name === 'tx.rollback') state.hasWork = false
    await this.send(lockstep, this.name, this.answer, this.isSilent, () => this.args)
  }

  protected describe(): string {
    return `${this.name} ${JSON.stringify(this.args)}${this.isSilent ? ' nowait' : ''}`
  }
}

/** The arguments of the first of these among the events. */
export function answerArgs(
  events: readonly Event[],
  name: MethodName,
): Readonly<Record<string, unknown>> | undefined {
  return events.find((event) => event.name === name)?.args
}

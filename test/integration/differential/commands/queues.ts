/** Commands that name a queue, and those that declare, bind and remove queues. */
import type { Args } from '../../../support/wire-client.js'
import type { ChannelState, Intent, Ledger, Role } from '../ledger.js'
import type { Lockstep } from '../lockstep.js'
import { answerArgs, OnChannel, type Spot } from './command.js'

/** A queue by its name, the channel's current one, one that the server has named, or one of those that there are. */
export type QueueRef = string | { readonly generated: number } | { readonly present: number }

/** Means the queue that was last declared on the channel. */
export const CURRENT = ''
/** The queue that stands for direct replies. */
export const REPLY_TO = 'amq.rabbitmq.reply-to'

/** A method that names a queue. */
export abstract class OnQueue extends OnChannel {
  constructor(
    spot: Spot,
    readonly queue: QueueRef,
  ) {
    super(spot)
  }

  /** What stands in the method: a name, an alias, or nothing for the current queue. */
  protected nameIn(ledger: Readonly<Ledger>): string {
    const { queue } = this
    if (typeof queue === 'string') return queue
    const [names, nth] =
      'generated' in queue
        ? [ledger.generated, queue.generated]
        : [ledger.usableQueues(this.client), queue.present]
    return names.length === 0 ? 'absent' : names[nth % names.length]
  }

  /** The queue that is meant. */
  protected meantIn(ledger: Readonly<Ledger>, state: ChannelState): string {
    const name = this.nameIn(ledger)
    return name === CURRENT ? state.current : name
  }

  protected override intent(ledger: Readonly<Ledger>, state: ChannelState): Intent {
    return { role: this.role, queue: this.meantIn(ledger, state) }
  }

  protected override isLegal(ledger: Readonly<Ledger>, state: ChannelState): boolean {
    return ledger.canReach(this.client, this.channel, this.intent(ledger, state))
  }

  protected override wouldFail(ledger: Readonly<Ledger>, state: ChannelState): boolean {
    return !ledger.isUsable(this.client, this.meantIn(ledger, state))
  }

  protected get queueText(): string {
    if (typeof this.queue !== 'string')
      return 'generated' in this.queue
        ? `generated queue ${this.queue.generated}`
        : `present queue ${this.queue.present}`
    return this.queue === CURRENT ? 'the current queue' : this.queue
  }
}

/** What a declaration asks for. */
export interface Declaration {
  readonly passive?: boolean
  readonly durable?: boolean
  readonly exclusive?: boolean
  readonly autoDelete?: boolean
  readonly arguments?: Args<'queue.declare'>['arguments']
}

/** What each named queue is when nobody is mistaken. */
export const USUAL: Record<string, Declaration> = {
  q0: {},
  q1: { durable: true },
  q2: { autoDelete: true },
  q3: { exclusive: true },
}

/** Queue.Declare of all kinds. */
export class DeclareQueue extends OnQueue {
  constructor(
    spot: Spot,
    queue: QueueRef,
    readonly flags: Declaration,
    readonly nowait: boolean,
  ) {
    super(spot, queue)
  }

  protected override get role(): Role | undefined {
    return this.flags.exclusive ? 'consumer' : undefined
  }

  protected override intent(ledger: Readonly<Ledger>, state: ChannelState): Intent {
    // Here an empty name asks for a new one, unless the declaration is passive.
    const isNew = this.queue === CURRENT && !this.flags.passive
    const queue = isNew ? undefined : this.meantIn(ledger, state)
    return { role: this.role, queue, declaresExclusive: this.flags.exclusive }
  }

  protected override isLegal(ledger: Readonly<Ledger>, state: ChannelState): boolean {
    if (this.queue === CURRENT && !this.flags.passive) return true
    return super.isLegal(ledger, state)
  }

  protected override wouldFail(ledger: Readonly<Ledger>, state: ChannelState): boolean {
    const { flags, queue } = this
    if (flags.arguments?.['x-max-length'] === 'many') return true
    if (flags.passive) return super.wouldFail(ledger, state)
    if (queue === CURRENT) return false
    const name = this.meantIn(ledger, state)
    if (!ledger.queues.has(name)) return USUAL[name] === undefined
    return flags !== USUAL[name] || super.wouldFail(ledger, state)
  }

  protected async perform(lockstep: Lockstep, state: ChannelState, ledger: Ledger): Promise<void> {
    const name = this.nameIn(ledger)
    const events = await this.send(lockstep, 'queue.declare', 'queue.declare-ok', this.nowait, (side) => ({
      queue: side.actual(name),
      ...this.flags,
    }))
    const declared = answerArgs(events, 'queue.declare-ok')?.['queue'] as string | undefined
    state.current = declared ?? name
    if (declared !== undefined && name === CURRENT && !ledger.generated.includes(declared))
      ledger.generated.push(declared)
  }

  protected describe(): string {
    const queue = this.queue === CURRENT ? 'a queue without a name' : this.queueText
    return `declares ${queue} ${JSON.stringify(this.flags)}${this.nowait ? ' nowait' : ''}`
  }
}

/** Methods that name one queue, apart from its declaration. */
export type QueueMethod = 'queue.bind' | 'queue.unbind' | 'queue.purge' | 'queue.delete'

/** One of these. */
export class QueueRequest<N extends QueueMethod> extends OnQueue {
  constructor(
    spot: Spot,
    queue: QueueRef,
    readonly name: N,
    readonly args: Partial<Args<N>>,
    readonly nowait: boolean,
  ) {
    super(spot, queue)
  }

  protected override wouldFail(ledger: Readonly<Ledger>, state: ChannelState): boolean {
    const { exchange } = this.args as { exchange?: string }
    if (exchange !== undefined && !ledger.exchanges.has(exchange)) return true
    return super.wouldFail(ledger, state)
  }

  protected async perform(lockstep: Lockstep, _: ChannelState, ledger: Ledger): Promise<void> {
    const name = this.nameIn(ledger)
    await this.send(lockstep, this.name, `${this.name}-ok`, this.nowait, (side) => ({
      ...this.args,
      queue: side.actual(name),
    }))
  }

  protected describe(): string {
    return `${this.name} ${this.queueText} ${JSON.stringify(this.args)}${this.nowait ? ' nowait' : ''}`
  }
}

/** Consuming, getting, and what a client says of the messages that it got. */
import type { Args } from '../../../support/wire-client.js'
import type { ChannelState, Intent, Ledger, Role } from '../ledger.js'
import type { Lockstep } from '../lockstep.js'
import type { Side } from '../side.js'
import { answerArgs, OnChannel, type Spot } from './command.js'
import { OnQueue, type QueueRef, REPLY_TO } from './queues.js'

/** Basic.Consume, also of direct replies. */
export class Consume extends OnQueue {
  constructor(
    spot: Spot,
    queue: QueueRef,
    readonly tag: string,
    readonly flags: { noAck: boolean; exclusive: boolean; arguments: Args<'basic.consume'>['arguments'] },
    readonly nowait: boolean,
  ) {
    super(spot, queue)
  }

  protected override get role(): Role {
    return 'consumer'
  }

  protected override intent(ledger: Readonly<Ledger>, state: ChannelState): Intent {
    return { ...super.intent(ledger, state), asksForReplies: this.queue === REPLY_TO }
  }

  protected override isLegal(ledger: Readonly<Ledger>, state: ChannelState): boolean {
    const queue = this.meantIn(ledger, state)
    if (this.tag === '' ? state.taggedByServer.has(queue) : state.consumers.has(this.tag)) return false
    if (!ledger.mayConsume(this.client, this.channel, queue)) return false
    return super.isLegal(ledger, state)
  }

  protected override wouldFail(ledger: Readonly<Ledger>, state: ChannelState): boolean {
    if (this.queue !== REPLY_TO) return super.wouldFail(ledger, state)
    return !this.flags.noAck || state.consumesFrom !== undefined
  }

  protected async perform(lockstep: Lockstep, state: ChannelState, ledger: Ledger): Promise<void> {
    const name = this.nameIn(ledger)
    const queue = this.meantIn(ledger, state)
    state.consumesFrom = queue
    state.holds.add(queue)
    const nowait = this.nowait && this.tag !== ''
    // Known before its first delivery is noted.
    if (this.tag !== '') state.consumers.set(this.tag, { queue, noAck: this.flags.noAck })
    else state.taggedByServer.add(queue)
    const events = await this.send(lockstep, 'basic.consume', 'basic.consume-ok', nowait, (side) => ({
      queue: side.actual(name),
      consumerTag: this.tag,
      ...this.flags,
    }))
    const tag = answerArgs(events, 'basic.consume-ok')?.['consumerTag'] as string | undefined
    if (tag !== undefined) state.consumers.set(tag, { queue, noAck: this.flags.noAck })
  }

  protected describe(): string {
    const tag = this.tag === '' ? 'a tag of the server' : `tag ${this.tag}`
    return `consumes ${this.queueText} with ${tag} ${JSON.stringify(this.flags)}${this.nowait ? ' nowait' : ''}`
  }
}

/** Basic.Cancel. */
export class Cancel extends OnChannel {
  constructor(
    spot: Spot,
    /** Which of the channel's consumers; one that it doesn't have if there are none. */
    readonly nth: number,
    readonly nowait: boolean,
  ) {
    super(spot)
  }

  protected override wouldFail(_: Readonly<Ledger>, { consumers }: ChannelState): boolean {
    return consumers.size === 0
  }

  protected async perform(lockstep: Lockstep, state: ChannelState): Promise<void> {
    const tags = [...state.consumers.keys()]
    const tag = tags.length === 0 ? 'nobody' : tags[this.nth % tags.length]
    await this.send(lockstep, 'basic.cancel', 'basic.cancel-ok', this.nowait, (side) => ({
      consumerTag: side.actual(tag),
    }))
    state.consumers.delete(tag)
  }

  protected describe(): string {
    return `cancels consumer ${this.nth}${this.nowait ? ' nowait' : ''}`
  }
}

/** Basic.Get, also from an empty queue. */
export class Get extends OnQueue {
  constructor(
    spot: Spot,
    queue: QueueRef,
    readonly noAck: boolean,
  ) {
    super(spot, queue)
  }

  protected override get role(): Role {
    return 'consumer'
  }

  protected override isLegal(ledger: Readonly<Ledger>, state: ChannelState): boolean {
    const queue = this.meantIn(ledger, state)
    if (!this.noAck && !ledger.mayHold(this.client, this.channel, queue)) return false
    return super.isLegal(ledger, state)
  }

  protected async perform(lockstep: Lockstep, state: ChannelState, ledger: Ledger): Promise<void> {
    const { client, channel, noAck } = this
    const name = this.nameIn(ledger)
    if (!noAck) state.holds.add(this.meantIn(ledger, state))
    const args = (side: Side): Partial<Args<'basic.get'>> => ({ queue: side.actual(name), noAck })
    const events = await lockstep.request(client, channel, 'basic.get', args, [
      'basic.get-ok',
      'basic.get-empty',
    ])
    const tag = answerArgs(events, 'basic.get-ok')?.['deliveryTag'] as number | undefined
    if (tag !== undefined && !noAck) state.unacked.push(tag)
  }

  protected describe(): string {
    return `gets from ${this.queueText}${this.noAck ? ' without acknowledgement' : ''}`
  }
}

/** Basic.Ack, Nack and Reject. */
export class Acknowledge extends OnChannel {
  constructor(
    spot: Spot,
    readonly name: 'basic.ack' | 'basic.nack' | 'basic.reject',
    /** Which of the outstanding messages, or `all` or `unknown`. */
    readonly which: number | 'all' | 'unknown',
    readonly multiple: boolean,
    readonly requeue: boolean,
  ) {
    super(spot)
  }

  protected override isLegal(_: Readonly<Ledger>, { unacked, hasLimiter }: ChannelState): boolean {
    if (hasLimiter && this.requeue && this.name !== 'basic.ack') return false
    return typeof this.which === 'string' || unacked.length > 0
  }

  protected override wouldFail(_: Readonly<Ledger>, { unacked }: ChannelState): boolean {
    return unacked.length === 0 || this.which === 'unknown'
  }

  protected async perform(lockstep: Lockstep, state: ChannelState): Promise<void> {
    const { client, channel, which, requeue } = this
    const multiple = this.name !== 'basic.reject' && (this.multiple || which === 'all')
    const deliveryTag =
      which === 'all' ? 0 : which === 'unknown' ? 999 : state.unacked[which % state.unacked.length]
    // What is requeued may come again in this very step, with tags that are new.
    state.unacked = state.unacked.filter((tag) =>
      multiple ? deliveryTag !== 0 && tag > deliveryTag : tag !== deliveryTag,
    )
    await lockstep.tell(client, channel, this.name, () => ({ deliveryTag, multiple, requeue }))
  }

  protected describe(): string {
    return `${this.name} ${this.which}${this.multiple ? ' multiple' : ''}${this.requeue ? ' requeue' : ''}`
  }
}

/** Basic.Recover, which requeues all that the channel holds. */
export class Recover extends OnChannel {
  constructor(
    spot: Spot,
    readonly isAsync: boolean,
  ) {
    super(spot)
  }

  protected override get role(): Role {
    return 'consumer'
  }

  protected override isLegal(_: Readonly<Ledger>, { hasLimiter }: ChannelState): boolean {
    return !hasLimiter
  }

  protected async perform(lockstep: Lockstep, state: ChannelState): Promise<void> {
    const { client, channel } = this
    state.unacked = []
    if (this.isAsync) await lockstep.tell(client, channel, 'basic.recover-async', () => ({ requeue: true }))
    else
      await lockstep.request(client, channel, 'basic.recover', () => ({ requeue: true }), [
        'basic.recover-ok',
      ])
  }

  protected describe(): string {
    return `recovers${this.isAsync ? ' without an answer' : ''}`
  }
}

/** The commands that sessions are made of. Each knows when it's legal, and what it changes in the ledger. */
import fc from 'fast-check'
import type { Args, MethodName, Properties } from '../../support/wire-client.js'
import { PASSWORD, USERS } from './arena.js'
import { type Cast, ChannelState, type Ledger, type Role } from './ledger.js'
import { hasAny, type Lockstep } from './lockstep.js'
import type { Event, Side } from './side.js'

type Command = fc.AsyncCommand<Ledger, Lockstep>

/** Where a command is sent; it's left out if the session has no such client or channel. */
interface Spot {
  readonly client: number
  readonly channel: number
  /** Whether it's sent though the broker will refuse it. */
  readonly isDaring?: boolean
}

/** A queue by its name, the channel's current one, one that the server has named, or one of those that there are. */
type QueueRef = string | { readonly generated: number } | { readonly present: number }

const CURRENT = ''
const REPLY_TO = 'amq.rabbitmq.reply-to'

export const cast: fc.Arbitrary<Cast> = record({
  clients: fc.array(
    record({
      user: fc.constantFrom(0, 0, 0, 1),
      channels: fc.integer({ min: 1, max: 4 }),
      frameMax: fc.constantFrom(131_072, 131_072, 8192, 4096),
    }),
    { minLength: 1, maxLength: 3 },
  ),
})

/** A record that prints without a word on its prototype. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true })
}

abstract class OnClient implements Command {
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

class Connect extends OnClient {
  check(ledger: Readonly<Ledger>): boolean {
    return this.client < ledger.cast.clients.length && !ledger.clients.has(this.client)
  }

  async run(ledger: Ledger, lockstep: Lockstep): Promise<void> {
    const { user, frameMax } = ledger.cast.clients[this.client]
    await lockstep.connect(this.client, { user: USERS[user], password: PASSWORD, frameMax })
    ledger.clients.set(this.client, { channels: new Map() })
  }

  toString(): string {
    return `${this.client} connects`
  }
}

/** Connection.Close, or the end of the socket without it. */
class Leave extends OnClient {
  constructor(
    spot: Spot,
    readonly how: 'close' | 'reset' | 'end',
  ) {
    super(spot)
  }

  check(ledger: Readonly<Ledger>): boolean {
    return ledger.clients.has(this.client)
  }

  async run(ledger: Ledger, lockstep: Lockstep): Promise<void> {
    const { client, how } = this
    ledger.clients.delete(client)
    if (how === 'close') {
      await lockstep.request(client, 0, 'connection.close', () => ({ code: 200, text: 'bye' }), [
        'connection.close-ok',
      ])
      for (const side of lockstep.sides) side.forget(client)
    } else {
      const left = ledger.clients.size
      await lockstep.step(
        this.toString(),
        (side) => side.drop(client, how),
        (side, connections) => side.label === 'warren' || connections === left,
      )
    }
    this.after(ledger, lockstep)
  }

  toString(): string {
    return `${this.client} leaves (${this.how})`
  }
}

class OpenChannel extends OnClient {
  check(ledger: Readonly<Ledger>): boolean {
    const most = ledger.cast.clients[this.client]?.channels ?? 0
    return this.channel <= most && ledger.clients.get(this.client)?.channels.has(this.channel) === false
  }

  async run(ledger: Ledger, lockstep: Lockstep): Promise<void> {
    await lockstep.request(this.client, this.channel, 'channel.open', () => ({}), ['channel.open-ok'])
    ledger.clients.get(this.client)!.channels.set(this.channel, new ChannelState())
    this.after(ledger, lockstep)
  }

  toString(): string {
    return `${this.client}.${this.channel} opens`
  }
}

abstract class OnChannel extends OnClient {
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
    ledger.tell(this.client, this.channel, this.role)
    await this.perform(lockstep, state, ledger)
    this.after(ledger, lockstep)
  }

  toString(): string {
    return `${this.client}.${this.channel} ${this.describe()}`
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

class CloseChannel extends OnChannel {
  protected async perform(lockstep: Lockstep, _: ChannelState, ledger: Ledger): Promise<void> {
    await this.send(lockstep, 'channel.close', 'channel.close-ok', false, () => ({ code: 200, text: 'bye' }))
    ledger.clients.get(this.client)!.channels.delete(this.channel)
  }

  protected describe(): string {
    return 'closes'
  }
}

/** Any method whose answer changes nothing that the ledger knows. */
class Plain<N extends MethodName> extends OnChannel {
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
    if (this.name === 'basic.qos' || this.name.startsWith('basic.recover')) return 'consumer'
    return undefined
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
    await this.send(lockstep, this.name, this.answer, this.isSilent, () => this.args)
  }

  protected describe(): string {
    return `${this.name} ${JSON.stringify(this.args)}${this.isSilent ? ' nowait' : ''}`
  }
}

/** A method that names a queue. */
abstract class OnQueue extends OnChannel {
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

  protected override isLegal(ledger: Readonly<Ledger>, state: ChannelState): boolean {
    return ledger.canReach(this.client, this.channel, this.meantIn(ledger, state), this.role)
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

interface Declaration {
  readonly passive?: boolean
  readonly durable?: boolean
  readonly exclusive?: boolean
  readonly autoDelete?: boolean
  readonly arguments?: Args<'queue.declare'>['arguments']
}

class DeclareQueue extends OnQueue {
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

  protected override isLegal(ledger: Readonly<Ledger>, state: ChannelState): boolean {
    // Here an empty name asks for a new one, unless the declaration is passive.
    if (this.queue === CURRENT && !this.flags.passive) return true
    // Left out: RabbitMQ judges the reserved name first, Warren whose the queue is.
    const name = this.meantIn(ledger, state)
    if (ledger.isLocked(this.client, name) && !this.flags.passive && name.startsWith('gen ')) return false
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

type QueueMethod = 'queue.bind' | 'queue.unbind' | 'queue.purge' | 'queue.delete'

class QueueRequest<N extends QueueMethod> extends OnQueue {
  constructor(
    spot: Spot,
    queue: QueueRef,
    readonly name: N,
    readonly args: Partial<Args<N>>,
    readonly nowait: boolean,
  ) {
    super(spot, queue)
  }

  protected override isLegal(ledger: Readonly<Ledger>, state: ChannelState): boolean {
    const { exchange } = this.args as { exchange?: string }
    // Left out: RabbitMQ judges the exchange first, Warren whose the queue is.
    if (exchange !== undefined && !ledger.exchanges.has(exchange))
      if (ledger.isLocked(this.client, this.meantIn(ledger, state))) return false
    return super.isLegal(ledger, state)
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

class Consume extends OnQueue {
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

  protected override isLegal(ledger: Readonly<Ledger>, state: ChannelState): boolean {
    if (this.tag !== '' && state.consumers.has(this.tag)) return false
    if (!ledger.mayConsume(this.client, this.channel, this.meantIn(ledger, state))) return false
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

class Cancel extends OnChannel {
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

class Get extends OnQueue {
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

class Acknowledge extends OnChannel {
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

class Recover extends OnChannel {
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

class Select extends OnChannel {
  constructor(
    spot: Spot,
    readonly mode: 'confirm' | 'tx',
    readonly nowait: boolean,
  ) {
    super(spot)
  }

  protected override get role(): Role {
    return 'publisher'
  }

  protected override wouldFail(_: Readonly<Ledger>, { mode }: ChannelState): boolean {
    return mode !== 'plain' && mode !== this.mode
  }

  protected async perform(lockstep: Lockstep, state: ChannelState): Promise<void> {
    const nowait = this.nowait && this.mode === 'confirm'
    if (this.mode === 'tx') await this.send(lockstep, 'tx.select', 'tx.select-ok', false, () => ({}))
    else await this.send(lockstep, 'confirm.select', 'confirm.select-ok', nowait, () => ({}))
    state.mode = this.mode
  }

  protected describe(): string {
    return `${this.mode}.select${this.nowait ? ' nowait' : ''}`
  }
}

type PropertyKind = 'none' | 'plain' | 'persistent' | 'rich' | 'copies' | 'other user' | 'bad expiration'

class Publish extends OnQueue {
  constructor(
    spot: Spot,
    /** The routing key is its name. */
    queue: QueueRef,
    readonly exchange: string,
    readonly size: number,
    readonly mandatory: boolean,
    readonly kind: PropertyKind,
  ) {
    super(spot, queue)
  }

  protected override get role(): Role {
    return 'publisher'
  }

  protected override isLegal(): boolean {
    return true
  }

  protected override wouldFail(ledger: Readonly<Ledger>): boolean {
    if (this.kind === 'other user' || this.kind === 'bad expiration') return true
    return this.exchange !== '' && !ledger.exchanges.has(this.exchange)
  }

  protected async perform(lockstep: Lockstep, state: ChannelState, ledger: Ledger): Promise<void> {
    const { client, channel, exchange, mandatory, size } = this
    const name = this.nameIn(ledger)
    const number = ++ledger.messages
    const user = USERS[ledger.cast.clients[client].user]
    const message = {
      exchange,
      mandatory,
      body: Buffer.alloc(size, `<${number}>`),
      properties: propertiesOf(this.kind, `m${number}`, user),
    }
    await publish(lockstep, state, client, channel, (side) => ({ ...message, routingKey: side.actual(name) }))
  }

  protected describe(): string {
    const where = `${this.exchange === '' ? '' : `${this.exchange} `}with key '${this.queueText}'`
    return `publishes ${this.size} bytes to ${where}, ${this.kind}${this.mandatory ? ', mandatory' : ''}`
  }
}

/** One publish in both worlds, up to what shows that the broker has it. */
async function publish(
  lockstep: Lockstep,
  state: ChannelState,
  client: number,
  channel: number,
  message: (side: Side) => Parameters<ReturnType<Side['wire']>['publish']>[1],
): Promise<void> {
  const { exchange, routingKey, mandatory, body, properties } = message(lockstep.direct)
  const what = JSON.stringify({ exchange, routingKey, mandatory, size: body!.length, properties })
  const needsConfirm = state.mode === 'confirm'
  if (needsConfirm) state.published++
  await lockstep.step(
    `${client}.${channel} basic.publish ${what}`,
    (side) => side.wire(client).publish(channel, message(side)),
    (side) => hasAny(side, client, channel, needsConfirm ? ['basic.ack', 'basic.nack'] : []),
    client,
    channel,
    // The broker has counted a message before it confirms it.
    !needsConfirm,
  )
}

function propertiesOf(kind: PropertyKind, messageId: string, user: string): Properties {
  switch (kind) {
    case 'none':
      return {}
    case 'plain':
      return { messageId, deliveryMode: 1 }
    case 'persistent':
      return { messageId, deliveryMode: 2 }
    case 'rich':
      return {
        contentType: 'text/plain',
        contentEncoding: 'utf-8',
        headers: { text: 'ä', number: 7, real: 0.5, yes: true, nothing: null, list: ['a', { b: 1 }] },
        deliveryMode: 1,
        priority: 3,
        correlationId: 'correlation',
        replyTo: 'somebody',
        expiration: '3600000',
        messageId,
        timestamp: 1_700_000_000,
        type: 'kind',
        userId: user,
        appId: 'differ',
      }
    case 'copies':
      return { messageId, headers: { CC: ['q1', 'a.b'], BCC: ['q2'] } }
    case 'other user':
      return { messageId, userId: 'somebody' }
    case 'bad expiration':
      return { messageId, expiration: 'soon' }
  }
}

/** The client's side of direct reply-to: consumes the replies, or asks. */
class Ask extends OnQueue {
  protected override get role(): Role {
    return 'publisher'
  }

  protected override isLegal(): boolean {
    return true
  }

  protected override wouldFail(_: Readonly<Ledger>, { consumesFrom }: ChannelState): boolean {
    return consumesFrom !== REPLY_TO
  }

  protected async perform(lockstep: Lockstep, state: ChannelState, ledger: Ledger): Promise<void> {
    const { client, channel } = this
    const name = this.nameIn(ledger)
    const number = ++ledger.messages
    const properties = { messageId: `m${number}`, correlationId: `request ${number}`, replyTo: REPLY_TO }
    await publish(lockstep, state, client, channel, (side) => ({
      exchange: '',
      routingKey: side.actual(name),
      body: Buffer.from(`?${number}`),
      properties,
    }))
  }

  protected describe(): string {
    return `asks ${this.queueText} for a reply`
  }
}

class Reply extends OnChannel {
  constructor(
    spot: Spot,
    readonly nth: number,
    readonly mandatory: boolean,
  ) {
    super(spot)
  }

  protected override get role(): Role {
    return 'publisher'
  }

  protected override isLegal({ replyAddresses }: Readonly<Ledger>): boolean {
    return replyAddresses.length > 0
  }

  protected async perform(lockstep: Lockstep, state: ChannelState, ledger: Ledger): Promise<void> {
    const { replyAddresses } = ledger
    const address = replyAddresses[this.nth % replyAddresses.length]
    const number = ++ledger.messages
    await publish(lockstep, state, this.client, this.channel, (side) => ({
      exchange: '',
      routingKey: side.actual(address),
      body: Buffer.from(`!${number}`),
      properties: { messageId: `m${number}` },
      mandatory: this.mandatory,
    }))
  }

  protected describe(): string {
    return `replies to ${this.nth}${this.mandatory ? ', mandatory' : ''}`
  }
}

/** What RabbitMQ answers by closing the connection, and Warren without it. */
const OFFENCES = {
  'basic.qos with a size': (side: Side, client: number, channel: number) =>
    side.wire(client).method(channel, 'basic.qos', { prefetchSize: 1 }),
  'basic.recover without requeue': (side: Side, client: number, channel: number) =>
    side.wire(client).method(channel, 'basic.recover', { requeue: false }),
  'channel.flow off': (side: Side, client: number, channel: number) =>
    side.wire(client).method(channel, 'channel.flow', { active: false }),
  'a second channel.open': (side: Side, client: number, channel: number) =>
    side.wire(client).method(channel, 'channel.open'),
  'an immediate publish': (side: Side, client: number, channel: number) =>
    side.wire(client).publish(channel, { routingKey: 'q0', immediate: true }),
  'a method on a closed channel': (side: Side, client: number) =>
    side.wire(client).method(99, 'basic.qos', {}),
  'a method of the server': (side: Side, client: number, channel: number) =>
    side.wire(client).method(channel, 'basic.get-empty'),
  'a consumer tag again': (side: Side, client: number, channel: number, tag: string) =>
    side.wire(client).method(channel, 'basic.consume', { queue: 'q0', consumerTag: tag }),
}

class Offend extends OnChannel {
  constructor(
    spot: Spot,
    readonly offence: keyof typeof OFFENCES,
  ) {
    super(spot)
  }

  protected override isLegal(_: Readonly<Ledger>, { consumers }: ChannelState): boolean {
    return this.offence !== 'a consumer tag again' || ownTag(consumers) !== undefined
  }

  protected override wouldFail(): boolean {
    return true
  }

  protected async perform(lockstep: Lockstep, { consumers }: ChannelState): Promise<void> {
    const { client, channel, offence } = this
    const tag = ownTag(consumers) ?? ''
    await lockstep.step(
      `${client}.${channel} ${offence}`,
      (side) => OFFENCES[offence](side, client, channel, side.actual(tag)),
      (side) => hasAny(side, client, 0, ['end of socket' as MethodName]),
    )
    for (const side of lockstep.sides) side.forget(client)
  }

  protected describe(): string {
    return `offends: ${this.offence}`
  }
}

/** A tag that can't be used again on its channel. RabbitMQ keeps no record of the tag of a consumer of direct replies. */
function ownTag(consumers: ChannelState['consumers']): string | undefined {
  return [...consumers].find(([, { queue }]) => queue !== REPLY_TO)?.[0]
}

function answerArgs(
  events: readonly Event[],
  name: MethodName,
): Readonly<Record<string, unknown>> | undefined {
  return events.find((event) => event.name === name)?.args
}

// What is drawn

const spot: fc.Arbitrary<Spot> = record({
  client: fc.constantFrom(0, 0, 0, 1, 1, 2),
  channel: fc.constantFrom(1, 1, 1, 1, 2, 2, 3, 4),
  isDaring: fc.constantFrom(...Array<boolean>(11).fill(false), true),
})
const nth = fc.nat({ max: 5 })
const rarely = fc.constantFrom(false, false, false, false, true)
const sometimes = fc.constantFrom(false, false, true)
const often = fc.boolean()
const name = fc.constantFrom('q0', 'q0', 'q1', 'q2', 'q3')
const generated = record({ generated: nth })
const queue: fc.Arbitrary<QueueRef> = fc.oneof(
  { weight: 8, arbitrary: record({ present: nth }) },
  { weight: 5, arbitrary: name },
  { weight: 3, arbitrary: fc.constant(CURRENT) },
  { weight: 2, arbitrary: generated },
  { weight: 1, arbitrary: fc.constantFrom('absent', 'forbidden', 'amq.wrong', REPLY_TO) },
)
const exchange = fc.constantFrom(
  ...['amq.direct', 'amq.fanout', 'amq.topic', 'e0', 'e0', 'e1', 'e1', 'e2'],
  ...['', 'forbidden', 'absent'],
)
const key = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('k', 'a.b', 'a.*', '#', 'q0', '') },
  { weight: 1, arbitrary: name },
)
const size = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(0, 1, 5, 100) },
  { weight: 2, arbitrary: fc.constantFrom(4088, 4089, 8184, 20_000, 131_064, 131_065, 300_000) },
)

/** What each named queue is when nobody is mistaken. */
const USUAL: Record<string, Declaration> = {
  q0: {},
  q1: { durable: true },
  q2: { autoDelete: true },
  q3: { exclusive: true },
}
const queueArguments = fc.oneof(
  { weight: 4, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      { 'x-max-length': 2 },
      { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
      { 'x-max-priority': 5 },
      { 'x-single-active-consumer': true },
      { 'x-max-length': 'many' },
    ),
  },
)
const declaration: fc.Arbitrary<{ queue: QueueRef; flags: Declaration }> = fc.oneof(
  { weight: 8, arbitrary: name.map((queue) => ({ queue, flags: USUAL[queue] })) },
  {
    weight: 3,
    arbitrary: record({
      queue: fc.constant(CURRENT),
      flags: record({ exclusive: often, autoDelete: often, arguments: queueArguments }),
    }),
  },
  { weight: 3, arbitrary: record({ queue, flags: fc.constant({ passive: true }) }) },
  {
    weight: 2,
    arbitrary: record({
      queue,
      flags: record({
        durable: sometimes,
        exclusive: sometimes,
        autoDelete: sometimes,
        arguments: queueArguments,
      }),
    }),
  },
)
const exchangeTypes = fc.constantFrom('direct', 'fanout', 'topic', 'headers')
const USUAL_TYPES: Record<string, string> = { e0: 'direct', e1: 'fanout', e2: 'topic' }

/** Sessions of up to `maxCommands` commands; `replayPath` repeats what fast-check has printed behind one. */
export function sessionOf(maxCommands: number, replayPath?: string): fc.Arbitrary<Iterable<Command>> {
  const drawn = <A extends unknown[]>(
    weight: number,
    make: new (spot: Spot, ...args: A) => Command,
    ...args: { [K in keyof A]: fc.Arbitrary<A[K]> }
  ): fc.WeightedArbitrary<Command> => ({
    weight,
    arbitrary: fc
      .tuple(spot, ...(args as unknown as fc.Arbitrary<unknown>[]))
      .map(([at, ...rest]) => new make(at, ...(rest as unknown as A))),
  })
  const plain = <N extends MethodName>(
    weight: number,
    name: N,
    answer: MethodName,
    args: fc.Arbitrary<Partial<Args<N>>>,
    isSilent: fc.Arbitrary<boolean> = fc.constant(false),
  ): fc.WeightedArbitrary<Command> => ({
    weight,
    arbitrary: fc
      .tuple(spot, args, isSilent)
      .map(([at, given, silent]) => new Plain<N>(at, name, answer, given, silent)),
  })
  const onQueue = <N extends QueueMethod>(
    weight: number,
    name: N,
    args: fc.Arbitrary<Partial<Args<N>>>,
    nowait: fc.Arbitrary<boolean> = rarely,
  ): fc.WeightedArbitrary<Command> => ({
    weight,
    arbitrary: fc
      .tuple(spot, queue, args, nowait)
      .map(([at, which, given, silent]) => new QueueRequest<N>(at, which, name, given, silent)),
  })
  const command = fc.oneof(
    drawn(4, Connect),
    drawn(1, Leave, fc.constantFrom('close', 'reset', 'end')),
    drawn(8, OpenChannel),
    drawn(2, CloseChannel),
    plain(
      3,
      'exchange.declare',
      'exchange.declare-ok',
      fc.constantFrom('e0', 'e1', 'e2').map((name) => ({ exchange: name, type: USUAL_TYPES[name] })),
      rarely,
    ),
    plain(
      1,
      'exchange.declare',
      'exchange.declare-ok',
      record({
        exchange,
        type: exchangeTypes,
        passive: sometimes,
        durable: sometimes,
        autoDelete: sometimes,
        internal: rarely,
      }),
      rarely,
    ),
    plain(1, 'exchange.delete', 'exchange.delete-ok', record({ exchange, ifUnused: often }), rarely),
    plain(
      1,
      'exchange.bind',
      'exchange.bind-ok',
      record({ destination: exchange, source: exchange, routingKey: key }),
      rarely,
    ),
    plain(
      1,
      'exchange.unbind',
      'exchange.unbind-ok',
      record({ destination: exchange, source: exchange, routingKey: key }),
      rarely,
    ),
    {
      weight: 10,
      arbitrary: fc
        .tuple(spot, declaration, rarely)
        .map(([at, { queue: which, flags }, silent]) => new DeclareQueue(at, which, flags, silent)),
    },
    onQueue(4, 'queue.bind', record({ exchange, routingKey: key })),
    onQueue(1, 'queue.unbind', record({ exchange, routingKey: key }), fc.constant(false)),
    onQueue(1, 'queue.purge', fc.constant({})),
    onQueue(2, 'queue.delete', record({ ifUnused: sometimes, ifEmpty: sometimes })),
    drawn(
      20,
      Publish,
      queue,
      fc.oneof({ weight: 4, arbitrary: fc.constant('') }, { weight: 1, arbitrary: exchange }),
      size,
      sometimes,
      fc.constantFrom<PropertyKind[]>(
        ...(['none', 'none', 'plain', 'plain', 'persistent', 'rich', 'copies', 'other user'] as const),
        ...(['none', 'plain', 'rich', 'bad expiration'] as const),
      ),
    ),
    drawn(2, Select, fc.constantFrom('confirm', 'tx'), sometimes),
    plain(2, 'tx.commit', 'tx.commit-ok', fc.constant({})),
    plain(1, 'tx.rollback', 'tx.rollback-ok', fc.constant({})),
    plain(
      2,
      'basic.qos',
      'basic.qos-ok',
      record({ prefetchCount: fc.constantFrom(0, 1, 2, 3), global: sometimes }),
    ),
    drawn(
      7,
      Consume,
      queue,
      fc.constantFrom('', 't0', 't0', 't1', 't2'),
      record({
        noAck: sometimes,
        exclusive: rarely,
        arguments: fc.constantFrom({}, {}, {}, { 'x-priority': 3 }),
      }),
      rarely,
    ),
    drawn(2, Cancel, nth, rarely),
    drawn(5, Get, queue, often),
    drawn(
      10,
      Acknowledge,
      fc.constantFrom('basic.ack', 'basic.ack', 'basic.nack', 'basic.reject'),
      fc.oneof({ weight: 12, arbitrary: nth }, { weight: 1, arbitrary: fc.constantFrom('all', 'unknown') }),
      sometimes,
      often,
    ),
    drawn(1, Recover, sometimes),
    {
      weight: 2,
      arbitrary: fc
        .tuple(spot, rarely)
        .map(
          ([at, acks]) =>
            new Consume(at, REPLY_TO, '', { noAck: !acks, exclusive: false, arguments: {} }, false),
        ),
    },
    drawn(3, Ask, queue),
    drawn(3, Reply, nth, sometimes),
    plain(1, 'channel.flow', 'channel.flow-ok', fc.constant({ active: true })),
    drawn(3, Offend, fc.constantFrom(...(Object.keys(OFFENCES) as (keyof typeof OFFENCES)[]))),
  )
  // Bias would make most sessions short.
  return fc.noBias(
    fc.commands([command], { maxCommands, size: 'max', ...(replayPath !== undefined && { replayPath }) }),
  )
}

/** Everybody in: what a session begins with. */
export async function openCast(ledger: Ledger, lockstep: Lockstep): Promise<void> {
  for (const [client, { channels }] of ledger.cast.clients.entries()) {
    await new Connect({ client, channel: 0 }).run(ledger, lockstep)
    for (let channel = 1; channel <= channels; channel++)
      await new OpenChannel({ client, channel }).run(ledger, lockstep)
  }
}

/** Everybody out, politely. */
export async function closeCast(ledger: Ledger, lockstep: Lockstep): Promise<void> {
  for (const client of [...ledger.clients.keys()])
    await new Leave({ client, channel: 0 }, 'close').run(ledger, lockstep)
}

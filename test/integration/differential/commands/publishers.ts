/** Publishing in all modes, and remote procedure calls by direct reply-to. */
import type { Properties } from '../../../support/wire-client.js'
import { USERS } from '../arena.js'
import type { ChannelState, Intent, Ledger, Role } from '../ledger.js'
import { hasAny, type Lockstep } from '../lockstep.js'
import type { Side } from '../side.js'
import { OnChannel, type Spot } from './command.js'
import { OnQueue, type QueueRef, REPLY_TO } from './queues.js'

/** Makes a channel confirm, or transactional. */
export class Select extends OnChannel {
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

  /** A known limit of Warren's: where it has asked for confirms itself, no transaction can begin once the channel has a state of another kind. */
  protected override isLegal(
    { hasBuffer }: Readonly<Ledger>,
    { isTracked, isFixed, mode }: ChannelState,
  ): boolean {
    return this.mode !== 'tx' || mode !== 'plain' || !(hasBuffer && isTracked && isFixed)
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

/** What stands in the content header. */
export type PropertyKind =
  'none' | 'plain' | 'persistent' | 'rich' | 'copies' | 'other user' | 'bad expiration'

/** Basic.Publish of any size and kind. */
export class Publish extends OnQueue {
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

  /** A routing key is no queue. */
  protected override intent(): Intent {
    return { role: this.role }
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
  else if (state.mode === 'tx') state.hasWork = true
  else state.isTracked = true
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
export class Ask extends OnQueue {
  protected override get role(): Role {
    return 'publisher'
  }

  /** A routing key is no queue. */
  protected override intent(): Intent {
    return { role: this.role }
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

/** The other side of direct reply-to: publishes to an address that was seen in a message. */
export class Reply extends OnChannel {
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

/** Coming and going, and what makes the server end a connection. */
import type { MethodName } from '../../../support/wire-client.js'
import { PASSWORD, USERS } from '../arena.js'
import { ChannelState, type Ledger } from '../ledger.js'
import { hasAny, type Lockstep } from '../lockstep.js'
import type { Side } from '../side.js'
import { OnChannel, OnClient, type Spot } from './command.js'
import { REPLY_TO } from './queues.js'

/** The whole handshake. */
export class Connect extends OnClient {
  check(ledger: Readonly<Ledger>): boolean {
    return this.client < ledger.cast.clients.length && !ledger.clients.has(this.client)
  }

  async run(ledger: Ledger, lockstep: Lockstep): Promise<void> {
    const { user, frameMax } = ledger.cast.clients[this.client]
    await lockstep.connect(this.client, { user: USERS[user], password: PASSWORD, frameMax })
    ledger.clients.set(this.client, { channels: new Map(), places: new Set() })
  }

  toString(): string {
    return `${this.client} connects`
  }
}

/** Connection.Close, or the end of the socket without it. */
export class Leave extends OnClient {
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

/** Channel.Open, of a channel that is closed. */
export class OpenChannel extends OnClient {
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

/** Channel.Close by the client. */
export class CloseChannel extends OnChannel {
  protected async perform(lockstep: Lockstep, _: ChannelState, ledger: Ledger): Promise<void> {
    await this.send(lockstep, 'channel.close', 'channel.close-ok', false, () => ({ code: 200, text: 'bye' }))
    ledger.clients.get(this.client)!.channels.delete(this.channel)
  }

  protected describe(): string {
    return 'closes'
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

type Offence = keyof typeof OFFENCES
/** All that there are. */
export const offences = Object.keys(OFFENCES) as Offence[]

/** Does one of these; the client has to connect again. */
export class Offend extends OnChannel {
  constructor(
    spot: Spot,
    readonly offence: Offence,
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

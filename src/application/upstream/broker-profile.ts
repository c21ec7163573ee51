/** What Warren knows of the broker before a client has logged in: what it offers and how it introduces itself. */
import { injectable, inject } from 'inversify'
import { type FieldTable, fieldOf, tableField, textField } from '../../domain/amqp/field-table.js'
import { methodFrame } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import { identifiers } from '../identifiers.js'
import type { Product } from '../product.js'

/** What the broker offers in Connection.Tune. */
export interface Tuning {
  /** 0 is no limit. */
  readonly channelMax: number
  /** Bytes, the frame's overhead included; 0 is no limit. */
  readonly frameMax: number
  /** Seconds; 0 is off. */
  readonly heartbeat: number
}

const WARREN_KEY = 'warren'
const utf8 = new TextEncoder()

/** What RabbitMQ has announced since 3.2, for clients that come before a broker was ever reached. */
const USUAL_CAPABILITIES = [
  'publisher_confirms',
  'exchange_exchange_bindings',
  'basic.nack',
  'consumer_cancel_notify',
  'connection.blocked',
  'consumer_priorities',
  'authentication_failure_close',
  'per_consumer_qos',
  'direct_reply_to',
]

/** The broker as last seen: its server properties are shown to clients, since libraries look at them. */
@injectable()
export class BrokerProfile {
  readonly #product: Product
  #serverProperties: FieldTable
  /** What clients are greeted with, by what is offered to them: made once, not for each. */
  readonly #startFrames = new Map<string, Uint8Array>()

  constructor(@inject(identifiers.Product) product: Product) {
    this.#product = product
    this.#serverProperties = [
      [
        'capabilities',
        tableField(
          Object.fromEntries(USUAL_CAPABILITIES.map((name) => [name, { type: 'bool', value: true }])),
        ),
      ],
      ['product', textField('RabbitMQ')],
      ['platform', textField('Erlang/OTP')],
    ]
  }

  /** Takes what the broker said in Connection.Start. */
  seen(serverProperties: FieldTable): void {
    this.#serverProperties = serverProperties
    this.#startFrames.clear()
  }

  /** Connection.Start for clients to whom these mechanisms are offered; never written to. */
  startFrame(mechanisms: readonly string[]): Uint8Array {
    const offered = mechanisms.join(' ')
    let frame = this.#startFrames.get(offered)
    if (frame === undefined) {
      frame = methodFrame(method.ConnectionStart, 0, {
        versionMajor: 0,
        versionMinor: 9,
        serverProperties: this.serverProperties,
        mechanisms: utf8.encode(offered),
        locales: utf8.encode('en_US'),
      })
      this.#startFrames.set(offered, frame)
    }
    return frame
  }

  /** Whether the broker is of a version that can deny deprecated features (RabbitMQ 3.13 and later); an unknown version may be. */
  get deniesDeprecated(): boolean {
    const version = fieldOf(this.#serverProperties, 'version')
    const text = version?.type === 'string' ? new TextDecoder().decode(version.value) : ''
    const [major, minor] = text.split('.').map(Number)
    return !(major < 3 || (major === 3 && minor < 13))
  }

  /** The broker's properties with Warren's name and version added under a key of its own. */
  get serverProperties(): FieldTable {
    return [
      ...this.#serverProperties.filter(([name]) => name !== WARREN_KEY),
      [
        WARREN_KEY,
        tableField({ product: textField(this.#product.name), version: textField(this.#product.version) }),
      ],
    ]
  }
}

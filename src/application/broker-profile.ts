import { injectable, inject } from 'inversify'
import { type FieldTable, fieldOf, tableField, textField } from '../domain/amqp/field-table.js'
import { identifiers } from './identifiers.js'
import type { Product } from './product.js'

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

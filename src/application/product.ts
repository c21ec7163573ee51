/** Who Warren says it is, to clients and to the broker. */
export interface Product {
  readonly name: string
  readonly version: string
  /** The platform it runs on, as brokers and clients state theirs. */
  readonly platform: string
  /** The machine's name, so that an operator finds the process behind a connection. */
  readonly host: string
}

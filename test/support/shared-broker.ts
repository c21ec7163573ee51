/** One broker for all integration tests of a mocha run: started by the first test that asks, stopped after the last. */
import { RabbitMqBroker } from './rabbitmq-broker.js'

/** Kept on the global object because mocha and the tests may load this file through different module loaders. */
const KEY = Symbol.for('warren.test.shared-broker')
const holder = globalThis as { [KEY]?: Promise<RabbitMqBroker> | undefined }

/**
 * The broker that all tests share, with users, vhosts and queues as earlier tests left them. Whoever stops or kills it
 * starts it again. Starting takes some seconds: ask in a `before` hook that allows for them.
 */
export function sharedBroker(): Promise<RabbitMqBroker> {
  return (holder[KEY] ??= RabbitMqBroker.start())
}

/** Mocha root hooks, for `--require test/support/shared-broker.ts`. */
export const mochaHooks = {
  async afterAll(this: Mocha.Context): Promise<void> {
    this.timeout(120_000)
    const broker = holder[KEY]
    holder[KEY] = undefined
    await broker?.then(
      (running) => running.stop(),
      () => undefined,
    )
  },
}

/** The least that it takes: Warren inside a program of yours, with its usual adapters. */
import { type Addresses, createWarren, loadSettings, type Warren } from 'warren'

/** Starts Warren with options as on its command line, such as `['amqp://rabbitmq:5672']`. Whoever calls this ends it with `shutDown()`. */
export async function startWarren(
  options: readonly string[],
): Promise<{ warren: Warren; addresses: Addresses }> {
  const { settings } = loadSettings({ argv: options, env: process.env, cwd: process.cwd() })
  const warren = createWarren(settings)
  return { warren, addresses: await warren.start() }
}

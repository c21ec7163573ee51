/** A private RabbitMQ, or one that already runs. */
import { cpuTime } from '../processes/cpu-time.js'
import type { Upstream } from './upstream.js'

export async function startRabbitMq(): Promise<Upstream> {
  // Only loaded when it is wanted: it looks for an installed RabbitMQ.
  const { RabbitMqBroker } = await import('../../test/support/rabbitmq-broker.js')
  const broker = await RabbitMqBroker.start()
  return runningRabbitMq(broker.url, broker.pid ?? 0, () => broker.stop())
}

export function runningRabbitMq(
  url: string,
  pid: number,
  stop: () => Promise<void> = () => Promise.resolve(),
): Upstream {
  const { port, username, password } = new URL(url)
  return {
    name: 'rabbitmq',
    port: Number(port || 5672),
    user: decodeURIComponent(username || 'guest'),
    password: decodeURIComponent(password || 'guest'),
    cpuTime: () => cpuTime(pid),
    stop,
  }
}

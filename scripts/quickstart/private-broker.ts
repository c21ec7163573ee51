/** A RabbitMQ node of our own from an installed rabbitmq-server: own name, ports and files, removed at the end. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { RabbitMqBroker } from '../../test/support/rabbitmq-broker.js'
import { type Broker, COUNTS, readCounts } from './broker.js'
import { Failure, reasonOf } from './failure.js'
import { productAt } from './login.js'
import { mayStart, remember } from './started.js'

export async function startPrivately(origin: string): Promise<Broker> {
  await mayStart()
  console.log('Starting a RabbitMQ')
  let node: RabbitMqBroker
  try {
    node = await RabbitMqBroker.start()
  } catch (error) {
    throw new Failure(`The private RabbitMQ could not be started: ${reasonOf(error)}`)
  }
  // It ends itself when this process exits before.
  remember({ stop: () => node.stop(), kill: () => undefined })
  const url = new URL(node.url)
  return {
    url,
    origin: `${await productAt(url)} on ${url.host}, ${origin}`,
    own: {
      counts: async () => readCounts(await node.eval(COUNTS)),
      isRunning: () => node.pid !== undefined,
    },
  }
}

/** Installs the distribution's rabbitmq-server. Its process group is signalled as a whole, as Ctrl-C would do: apt-get knows how to end. */
export async function installWithApt(): Promise<void> {
  const script = fileURLToPath(new URL('../install-rabbitmq.mjs', import.meta.url))
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'inherit', 'inherit'], detached: true })
  const exited = once(child, 'exit')
  const interrupt = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT')
  }
  remember({
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      interrupt()
      await exited
    },
    kill: interrupt,
  })
  const [code] = (await exited) as [number | null]
  if (code !== 0) throw new Failure('RabbitMQ could not be installed.')
}

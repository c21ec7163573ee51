/** A RabbitMQ of our own in Docker, reachable from this machine alone, removed at the end. */
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Broker, COUNTS, readCounts } from './broker.js'
import { Failure, reasonOf } from './failure.js'
import { login, productAt } from './login.js'
import { mayStart, remember } from './started.js'

const IMAGE = 'rabbitmq:4'
const START_LIMIT_MS = 120_000
const POLL_MS = 500

/** Whether there is a Docker engine that does what we say. */
export function dockerRuns(): Promise<boolean> {
  return promisify(execFile)('docker', ['info'], { timeout: 10_000 }).then(
    () => true,
    () => false,
  )
}

export async function startInDocker(): Promise<Broker> {
  await pull()
  await mayStart()
  console.log('Starting a RabbitMQ in Docker')
  const container = `warren-quickstart-${process.pid}`
  const removal = ['rm', '--force', '--volumes', container]
  const created = docker('run', '--detach', '--name', container, '--publish', '127.0.0.1::5672', IMAGE)
  remember({
    stop: async () => {
      await created.catch(() => undefined)
      await docker(...removal)
    },
    kill: () => void spawnSync('docker', removal, { stdio: 'ignore' }),
  })
  await created
  const published = await docker('port', container, '5672/tcp')
  const url = new URL(`amqp://guest:guest@${published.split('\n')[0]}`)
  await accepting(url)
  let isRunning = true
  const watch = spawn('docker', ['wait', container], { stdio: 'ignore' })
  watch.once('exit', () => (isRunning = false))
  return {
    url,
    origin: `${await productAt(url)} on ${url.host}, a private one in Docker (${IMAGE})`,
    own: {
      counts: async () =>
        readCounts(await docker('exec', container, 'rabbitmqctl', '--quiet', 'eval', COUNTS)),
      isRunning: () => isRunning,
    },
  }
}

/** The download takes a while the first time, so Docker's own progress is shown. */
async function pull(): Promise<void> {
  if (spawnSync('docker', ['image', 'inspect', IMAGE], { stdio: 'ignore' }).status === 0) return
  console.log(`Downloading ${IMAGE} from Docker Hub`)
  const child = spawn('docker', ['pull', '--quiet', IMAGE], { stdio: ['ignore', 'ignore', 'inherit'] })
  remember({ stop: () => Promise.resolve(void child.kill()), kill: () => child.kill() })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Failure(`docker pull ${IMAGE} failed: can this machine reach Docker Hub?`)
}

async function accepting(url: URL): Promise<void> {
  for (const deadline = Date.now() + START_LIMIT_MS; ; await delay(POLL_MS)) {
    const outcome = await login(url)
    if (outcome.kind === 'accepted') return
    if (Date.now() > deadline)
      throw new Failure(`RabbitMQ in Docker did not get ready in time: ${outcome.reason}`)
  }
}

async function docker(...args: string[]): Promise<string> {
  try {
    return (await promisify(execFile)('docker', args)).stdout.trim()
  } catch (error) {
    throw new Failure(`docker ${args[0]} failed: ${reasonOf(error)}`)
  }
}

/** `npm run soak`: Warren before a RabbitMQ for some minutes, with well-behaved and rude clients; afterwards everything must be where it was. */
import { readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { residentMemory } from '../../bench/processes/memory.js'
import { eventually } from '../support/eventually.js'
import { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import type { Actor, Soak } from './actor.js'
import { RUDE_USER, rude } from './rude.js'
import { declareQueues, missingMessages, wellBehaved } from './well-behaved.js'

const USAGE = `npm run soak -- [options]

  --minutes M    how long the load lasts in all (default: 10), a third of it to warm up
  --only TEXT    only the clients whose name has it, besides those who stay: 'short session', 'rude', …`

const MEGABYTE = 1024 * 1024
const SAMPLE_MS = 15_000
/** A process that has been busy keeps some memory for the next time. */
const MEMORY_ALLOWED = 16 * MEGABYTE
/** How long the last turn of a client may take. */
const TURN_LIMIT_MS = 90_000
/** How long it may take until nothing is left of the last clients: handshake limits, sweeps. */
const REST_LIMIT_MS = 60_000

/** What must be the same before and after. */
interface Level {
  /** While the load lasts, in the middle of the samples: at rest it depends on when Node has last given pages back. */
  readonly memory: number
  readonly descriptors: number
  readonly connections: number
  readonly channels: number
  readonly queues: number
}

const counts = new Map<string, number>()
const complaints: string[] = []

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      only: { type: 'string', default: '' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const minutes = Number(values.minutes)
  if (!(minutes > 0)) throw new Error(`--minutes is a number over 0, not '${values.minutes}'`)
  const actors = [...wellBehaved, ...rude].filter(
    ({ name, isLast }) => isLast === true || name.includes(values.only),
  )
  if (!actors.some(({ isLast }) => isLast !== true)) throw new Error(`no client is called '${values.only}'`)
  const broker = await RabbitMqBroker.start()
  try {
    await broker.addUser(RUDE_USER, RUDE_USER, { vhosts: ['/'] })
    await declareQueues(broker.port)
    const options = ['--pool-idle-timeout', '2', '--pool-cleanup-interval', '5', '--log-level', 'info']
    const warren = await WarrenProcess.start(broker.port, options)
    try {
      const warm = await load(warren, broker, actors, (minutes * 60_000) / 3)
      const before = { ...(await levelAtRest(warren, broker)), memory: warm }
      const long = await load(warren, broker, actors, (minutes * 120_000) / 3)
      const after = { ...(await levelAtRest(warren, broker)), memory: long }
      await checkEnd(warren)
      return report(before, after)
    } finally {
      await warren.stop()
    }
  } finally {
    await broker.stop()
  }
}

/** Everybody at once, for so long; resolves with the memory in the middle of the samples. */
async function load(
  warren: WarrenProcess,
  broker: RabbitMqBroker,
  actors: readonly Actor[],
  milliseconds: number,
): Promise<number> {
  const end = Date.now() + milliseconds
  let isEmpty = false
  const soak: Soak = {
    port: warren.port,
    url: warren.url,
    isOver: () => Date.now() > end,
    isEmpty: () => isEmpty,
    count: (what) => void counts.set(what, (counts.get(what) ?? 0) + 1),
    complain: (text) => {
      complaints.push(text)
      console.error(text)
    },
  }
  const run = (actor: Actor): Promise<unknown> => {
    const hangs = delay(milliseconds + TURN_LIMIT_MS, undefined, { ref: false }).then(() => {
      throw new Error('it waits for ever')
    })
    return Promise.race([actor.run(soak), hangs]).catch((error: unknown) =>
      soak.complain(`${actor.name}: ${(error as Error).message}`),
    )
  }
  const runAll = (chosen: readonly Actor[]): Promise<unknown> =>
    Promise.all(chosen.flatMap((actor) => Array.from({ length: actor.copies }, () => run(actor))))
  const last = runAll(actors.filter(({ isLast }) => isLast === true))
  const memory = [residentMemory(warren.pid)]
  const sampler = setInterval(() => void sample(warren, broker).then((now) => memory.push(now)), SAMPLE_MS)
  await runAll(actors.filter(({ isLast }) => isLast !== true))
  isEmpty = true
  await last
  clearInterval(sampler)
  return memory.sort((a, b) => a - b)[memory.length >> 1]
}

async function sample(warren: WarrenProcess, broker: RabbitMqBroker): Promise<number> {
  readLog(warren)
  const { memory, descriptors, connections, channels } = await levelOf(warren, broker)
  const done = [...counts.values()].reduce((sum, count) => sum + count, 0)
  console.log(
    `${new Date().toISOString().slice(11, 19)}  ${done} turns, ${(memory / MEGABYTE).toFixed(0)} MiB, ` +
      `${descriptors} descriptors, ${connections} upstream connections, ${channels} channels`,
  )
  return memory
}

/** Warren's own words: a bug of its own, or that one client has ended others' connection. */
function readLog({ log }: WarrenProcess): void {
  for (const line of log.splice(0)) {
    if (line.level === 'error') complaints.push(`Warren: ${JSON.stringify(line)}`)
    if (!/shared upstream connection|upstream connection lost/.test(line.message)) continue
    const what = `${line.message} (${String(line['user'])}): ${String(line['reason']).slice(0, 100)}`
    counts.set(what, (counts.get(what) ?? 0) + 1)
    if (line['user'] !== RUDE_USER) complaints.push(`Warren: ${JSON.stringify(line)}`)
  }
}

async function levelOf(warren: WarrenProcess, broker: RabbitMqBroker): Promise<Level> {
  const [connections, channels, queues] = await Promise.all([
    broker.connections(),
    broker.channels(),
    broker.queues(),
  ])
  return {
    memory: residentMemory(warren.pid),
    descriptors: readdirSync(`/proc/${warren.pid}/fd`).length,
    connections: connections.length,
    channels: channels.length,
    queues: queues.filter(({ name }) => name.startsWith('amq.gen')).length,
  }
}

/** When nobody is left, and Warren has closed what nobody uses. */
async function levelAtRest(warren: WarrenProcess, broker: RabbitMqBroker): Promise<Level> {
  await eventually(async () => {
    const left = (await broker.connections()).map(
      ({ user, state, channels }) => `${user} (${state}, ${channels} channels)`,
    )
    if (left.length > 0) throw new Error(`upstream connections are left: ${left.join(', ')}`)
  }, REST_LIMIT_MS).catch((error: Error) => complaints.push(error.message))
  await delay(2000)
  readLog(warren)
  return levelOf(warren, broker)
}

async function checkEnd(warren: WarrenProcess): Promise<void> {
  if (missingMessages() > 0) complaints.push(`${missingMessages()} messages never came out`)
  warren.signal('SIGTERM')
  const { code, stderr } = await warren.exited
  if (code !== 0) complaints.push(`Warren ended with ${code}: ${stderr}`)
}

function report(before: Level, after: Level): number {
  console.log('')
  for (const [what, count] of counts) console.log(`${what.padEnd(60)} ${count}`)
  console.log(`\n${''.padEnd(24)} ${'after warm-up'.padStart(14)} ${'at the end'.padStart(14)}`)
  const allowed: Level = { memory: MEMORY_ALLOWED, descriptors: 0, connections: 0, channels: 0, queues: 0 }
  for (const what of Object.keys(before) as (keyof Level)[]) {
    const shown = (value: number): string =>
      (what === 'memory' ? `${(value / MEGABYTE).toFixed(1)} MiB` : String(value)).padStart(14)
    console.log(`${what.padEnd(24)} ${shown(before[what])} ${shown(after[what])}`)
    if (after[what] > before[what] + allowed[what]) complaints.push(`${what} have grown`)
  }
  for (const complaint of new Set(complaints)) console.error(`\nfailed: ${complaint}`)
  if (complaints.length === 0) console.log('\neverything is where it was')
  return complaints.length === 0 ? 0 : 1
}

process.exitCode = await main()

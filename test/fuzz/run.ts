/** `npm run fuzz`: plays worlds for a given time, and says which one failed. The playing happens in a child process, so that a hang is found too. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { newTally, type Tally } from './arena.js'
import { describeStep, playAlone, playWorld, roundOf, shrink } from './play.js'

const USAGE = `npm run fuzz -- [options]

  --seconds S    how long (default: 60)
  --frames N     end as soon as Warren has read so many frames of rude clients
  --seed N       the first world; the following ones have the following numbers (default: by chance)
  --rounds N     rounds in each world before it ends and the next begins (default: 2000)
  --worlds N     how many worlds at most
  --round N      play this one round of the world alone, and if it fails look for the steps that matter`

/** What a failed round costs at most until it's told. */
const SHRINK_MS = 60_000
const HANG_MS = 120_000
const REPORT_MS = 10_000
const MEGABYTE = 1024 * 1024
/** After this much of the run memory has found its level. */
const WARM_UP = 0.15
/** More growth than this between then and the end is a leak. */
const GROWTH_ALLOWED = 12 * MEGABYTE

interface Options {
  readonly seconds: number
  readonly frames: number
  readonly seed: number
  readonly rounds: number
  readonly worlds: number
  readonly round: number | undefined
}

/** What the child tells its parent. */
interface News {
  readonly world: number
  readonly round: number
  readonly line?: string
}

function parseOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '60' },
      frames: { type: 'string' },
      seed: { type: 'string' },
      rounds: { type: 'string', default: '2000' },
      worlds: { type: 'string' },
      round: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) return undefined
  const number = (name: string, text: string | undefined, fallback: number): number => {
    const value = text === undefined ? fallback : Number(text)
    if (Number.isNaN(value) || value < 0) throw new Error(`--${name} is a number, not '${text}'`)
    return value
  }
  return {
    seconds: number('seconds', values.seconds, 60),
    frames: number('frames', values.frames, Infinity),
    seed: number('seed', values.seed, Math.floor(Math.random() * 2 ** 31)),
    rounds: number('rounds', values.rounds, 2000),
    worlds: number('worlds', values.worlds, Infinity),
    round: values.round === undefined ? undefined : number('round', values.round, 0),
  }
}

// ---- the parent --------------------------------------------------------------------------------------------------

/** Watches the child; resolves with the exit code. */
function watch(options: Options): Promise<number> {
  const child = fork(fileURLToPath(import.meta.url), ['--child', JSON.stringify(options)], {
    execArgv: ['--expose-gc', '--import', 'tsx'],
  })
  let last: News = { world: options.seed, round: 0 }
  let timer = startHangTimer(child, () => last)
  child.on('message', (news: News) => {
    last = news
    clearTimeout(timer)
    timer = startHangTimer(child, () => last)
    if (news.line !== undefined) console.log(news.line)
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  return new Promise((resolve) => {
    child.on('exit', (code) => {
      clearTimeout(timer)
      resolve(code ?? 1)
    })
  })
}

function startHangTimer(child: ChildProcess, last: () => News): NodeJS.Timeout {
  return setTimeout(() => {
    const { world, round } = last()
    console.error(`nothing has happened for ${HANG_MS / 1000} s in round ${round} of world ${world}`)
    console.error(`again: npm run fuzz -- --seed ${world} --worlds 1 --rounds ${round + 1}`)
    child.kill('SIGKILL')
  }, HANG_MS)
}

// ---- the child ---------------------------------------------------------------------------------------------------

function tell(news: News): void {
  process.send?.(news)
}

/** Heap in use after a collection. */
function heap(): number {
  ;(globalThis as { gc?: () => void }).gc?.()
  return process.memoryUsage().heapUsed
}

async function playAll(options: Options): Promise<number> {
  const tally = newTally()
  const started = Date.now()
  let reported = started
  let world = options.seed
  let round = 0
  const heaps: { at: number; bytes: number }[] = []
  const onCrash = (error: unknown): void =>
    void reportFailure(world, round, error).then(() => process.exit(1))
  process.on('uncaughtException', onCrash).on('unhandledRejection', onCrash)
  const isOver = (): boolean =>
    Date.now() - started > options.seconds * 1000 || tally.framesRead >= options.frames
  const afterRound = (number: number): boolean => {
    round = number + 1
    let line: string | undefined
    if (Date.now() - reported > REPORT_MS) {
      reported = Date.now()
      heaps.push({ at: reported - started, bytes: heap() })
      line = progress(tally, reported - started, heaps.at(-1)!.bytes, world)
    }
    tell(line === undefined ? { world, round } : { world, round, line })
    return !isOver()
  }
  for (; world < options.seed + options.worlds && !isOver(); world++) {
    round = 0
    try {
      await playWorld(world, options.rounds, tally, afterRound)
    } catch (error) {
      await reportFailure(world, round, error)
      return 1
    }
  }
  heaps.push({ at: Date.now() - started, bytes: heap() })
  console.log(progress(tally, Date.now() - started, heaps.at(-1)!.bytes, world - 1))
  return judgeMemory(heaps)
}

function progress(tally: Tally, milliseconds: number, bytes: number, world: number): string {
  const count = (number: number): string => number.toLocaleString('en')
  const rate = count(Math.round((tally.framesRead / milliseconds) * 1000))
  return (
    `${Math.round(milliseconds / 1000)} s: ${count(tally.framesRead)} frames of rude clients read (${rate}/s) of ${count(tally.framesSent)} sent ` +
    `by ${count(tally.clients)} clients in ${count(tally.rounds)} rounds up to world ${world}; ` +
    `${count(tally.framesForwarded)} frames at the broker; heap ${(bytes / MEGABYTE).toFixed(1)} MiB`
  )
}

/** The heap at the end against that after the warm-up. */
function judgeMemory(heaps: readonly { at: number; bytes: number }[]): number {
  const end = heaps.at(-1)!
  const warm = heaps.find(({ at }) => at >= end.at * WARM_UP)!
  const grown = end.bytes - warm.bytes
  const inMegabytes = (grown / MEGABYTE).toFixed(1)
  console.log(`no failure; the heap has grown by ${inMegabytes} MiB since ${Math.round(warm.at / 1000)} s`)
  return grown > GROWTH_ALLOWED ? 1 : 0
}

async function failsAlone(world: number, round: ReturnType<typeof roundOf>): Promise<boolean> {
  tell({ world, round: 0 })
  return playAlone(world, round, newTally()).then(
    () => false,
    () => true,
  )
}

async function reportFailure(world: number, number: number, error: unknown): Promise<void> {
  console.error(`\nround ${number} of world ${world} has failed:\n${(error as Error).stack}`)
  process.removeAllListeners('uncaughtException').removeAllListeners('unhandledRejection')
  if (!(await failsAlone(world, roundOf(world, number)))) {
    console.error(`\nagain: npm run fuzz -- --seed ${world} --worlds 1 --rounds ${number + 1}`)
    return
  }
  console.error(`\nagain: npm run fuzz -- --seed ${world} --round ${number}\n`)
  const round = await shrink(roundOf(world, number), (fewer) => failsAlone(world, fewer), SHRINK_MS)
  console.error(`these steps are enough:\n${round.steps.map(describeStep).join('\n')}`)
  await playAlone(world, round, newTally()).catch((again: Error) => console.error(`\n${again.message}`))
}

async function playRound(world: number, number: number): Promise<number> {
  try {
    await playAlone(world, roundOf(world, number), newTally())
    console.log(`round ${number} of world ${world}, alone: no failure`)
    return 0
  } catch (error) {
    await reportFailure(world, number, error)
    return 1
  }
}

const [first, second] = process.argv.slice(2)
if (first === '--child') {
  const options = JSON.parse(second, (_, value: unknown) => (value === null ? Infinity : value)) as Options
  process.exitCode = await (options.round === undefined
    ? playAll(options)
    : playRound(options.seed, options.round))
  process.disconnect?.()
} else {
  const options = parseOptions(process.argv.slice(2))
  if (options === undefined) console.log(USAGE)
  else process.exitCode = await watch(options)
}

/** Runs commands, and sees to it that none of them outlives this process when a signal ends it. */
import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'

const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }
/** How long a command may take to end after a signal; a second signal cuts that short. */
const PATIENCE_MS = 10_000
/** How long the processes that a command leaves behind may take to end by themselves. */
const STRAGGLER_MS = 3_000
const OUTPUT_KEPT = 16_384

const running = new Set()
let interrupted = false

for (const signal of Object.keys(SIGNAL_NUMBERS)) process.on(signal, () => void interrupt(signal))

/**
 * Runs one command to its end, in a process group of its own: a Ctrl-C on the terminal reaches this process alone, which
 * then signals the command, and afterwards ends what is left of the group.
 * - `quiet`: keep the output (its end) instead of showing it
 * - `env`: variables to add
 * - `limitMs`: end the command when it takes longer
 * - `isOverdue`: asked once a second whether to end the command now
 * - `patienceMs`: how long it may take to end after a signal
 * - `signalGroup`: signal all its processes, not only the first
 * - `endSignal`: the signal that it ends best with, whichever this process got
 * - `channel`: give it an IPC channel, on which it sees that this process has gone
 * @returns {Promise<{ code: number, output: string, timedOut: boolean }>}
 */
export async function run(command, args, options = {}) {
  const { quiet = false, env = {}, limitMs = Infinity, isOverdue = () => false, channel = false } = options
  const output = quiet ? 'pipe' : 'inherit'
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: channel ? ['ignore', output, output, 'ipc'] : ['ignore', output, output],
    detached: true,
  })
  const job = { child, options, done: undefined }
  running.add(job)
  let kept = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text) => (kept = (kept + text).slice(-OUTPUT_KEPT)))
  let ending
  const started = Date.now()
  const watch = setInterval(() => {
    if (Date.now() - started > limitMs || isOverdue()) ending ??= end(job, 'SIGTERM')
  }, 1000)
  job.done = new Promise((resolve) => {
    child.on('error', (error) => {
      kept += `${command}: ${error.message}\n`
      resolve(127)
    })
    child.on('exit', (code, signal) => resolve(code ?? (signal ? 1 : 0)))
  })
  const code = await job.done
  clearInterval(watch)
  await ending
  // Whoever waits must not go on to the next step while the interruption is being dealt with.
  if (interrupted) await new Promise(() => undefined)
  running.delete(job)
  return { code, output: kept, timedOut: ending !== undefined }
}

async function interrupt(signal) {
  if (interrupted) {
    for (const { child } of running) signalGroup(child, 'SIGKILL')
    return
  }
  interrupted = true
  await Promise.all([...running].map((job) => end(job, signal)))
  process.exit(128 + SIGNAL_NUMBERS[signal])
}

async function end({ child, options, done }, received) {
  const signal = options.endSignal ?? received
  if (options.signalGroup) signalGroup(child, signal)
  else child.kill(signal)
  const limit = setTimeout(() => signalGroup(child, 'SIGKILL'), options.patienceMs ?? PATIENCE_MS)
  await done
  clearTimeout(limit)
  for (const deadline = Date.now() + STRAGGLER_MS; signalGroup(child, 0) && Date.now() < deadline;)
    await delay(50)
  signalGroup(child, 'SIGKILL')
}

/** @returns whether the command's process group has members. */
function signalGroup(child, signal) {
  if (child.pid === undefined) return false
  try {
    return process.kill(-child.pid, signal)
  } catch {
    return false
  }
}

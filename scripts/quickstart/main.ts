/** The quickstart itself: a RabbitMQ, Warren in front of it, a demonstration, and then Warren for whoever wants to try it. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Broker } from './broker.js'
import { demonstrate, isPerfect } from './demonstration.js'
import { Failure, reasonOf } from './failure.js'
import { findBroker } from './find-broker.js'
import { comparison, introduction, invitation, verdict } from './report.js'
import { stopEverything } from './started.js'
import { Warren } from './warren.js'

const POLL_MS = 500
const INTERRUPTED = 130
const BROKER_ENDED = 'The RabbitMQ that was started for this has ended: start again.'

async function main(): Promise<number> {
  const broker = await findBroker()
  const warren = await Warren.start(broker.url)
  const trouble = Promise.race([warren.ended(), ...(broker.own ? [brokerEnded(broker.own)] : [])])
  return Promise.race([trouble, present(broker, warren)])
}

async function present(broker: Broker, warren: Warren): Promise<number> {
  console.log(introduction(broker, warren))
  const outcome = await demonstrate(broker, warren).catch((error: unknown) => {
    if (broker.own && !broker.own.isRunning()) throw new Failure(BROKER_ENDED)
    throw new Failure(`RabbitMQ was lost during the demonstration (${reasonOf(error)}). Is it still running?`)
  })
  console.log(comparison(outcome, broker))
  console.log(`\n${verdict(outcome)}`)
  if (!isPerfect(outcome.direct) || !isPerfect(outcome.shared)) return 1
  if (process.argv.includes('--once')) return 0
  console.log(invitation(broker, warren))
  warren.onTrouble = (text) => console.log(`Warren: ${text}`)
  return new Promise(() => undefined)
}

async function brokerEnded(own: { isRunning(): boolean }): Promise<never> {
  while (own.isRunning()) await delay(POLL_MS, undefined, { ref: false })
  throw new Failure(BROKER_ENDED)
}

/** Resolves at the first signal, and when the process that started this one is gone; a second signal ends all at once. */
function interruption(): Promise<number> {
  return new Promise((resolve) => {
    let isSecond = false
    const interrupt = (): void => {
      if (isSecond) process.exit(INTERRUPTED)
      isSecond = true
      resolve(INTERRUPTED)
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupt)
    process.once('disconnect', () => resolve(INTERRUPTED))
  })
}

let code = 1
try {
  code = await Promise.race([main(), interruption()])
  if (code === INTERRUPTED) console.log('\nEnding')
} catch (error) {
  console.error(error instanceof Failure ? `\n${error.message}` : error)
}
await stopEverything()
process.exit(code)

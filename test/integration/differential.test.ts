/**
 * Random but legal sessions, run straight to the broker and through Warren: nobody may be able to tell them apart.
 *
 * WARREN_DIFFERENTIAL_RUNS sets how many sessions (a thousand take about six minutes), WARREN_DIFFERENTIAL_SEED and
 * WARREN_DIFFERENTIAL_PATH repeat what fast-check has printed, and WARREN_DIFFERENTIAL_REPLAY a session's replayPath.
 * With WARREN_DIFFERENTIAL_CONTROL both runs go straight to the broker: what differs then is left to chance by RabbitMQ itself.
 */
import fc from 'fast-check'
import { sharedBroker } from '../support/shared-broker.js'
import { Arena, PASSWORD, USERS } from './differential/arena.js'
import { burst, closeAll, connectAll, runBurst } from './differential/bursts.js'
import { closeCast, openCast } from './differential/commands/connections.js'
import type { Style } from './differential/lanes.js'
import { Ledger } from './differential/ledger.js'
import { Difference, type Lockstep } from './differential/lockstep.js'
import { cast, sessionOf } from './differential/sessions.js'

const { env } = process
const RUNS = Number(env['WARREN_DIFFERENTIAL_RUNS'] ?? 25)
const SEED = Number(env['WARREN_DIFFERENTIAL_SEED'] ?? Date.now() % 2 ** 31)
const PATH = env['WARREN_DIFFERENTIAL_PATH']
const REPLAY = env['WARREN_DIFFERENTIAL_REPLAY']
/** Commands that are drawn for a session; those that aren't legal when their turn comes are left out, most of them. */
const LENGTH = 250
/** A failure is made smaller for at most this long. */
const SHRINKING_MS = 120_000
const LONGEST_RUN_MS = 5000
/**
 * With a publish buffer Warren numbers confirms itself, and asks for some that the client hasn't: every other seed has one. Not in pipelines: what
 * isn't confirmed when the broker ends a channel is published again, so that it may be there twice.
 */
const HAS_BUFFER = SEED % 2 === 1
const BUFFER = ['--pool-publish-buffer-size', '10000', '--pool-publish-guarantee', 'confirmed']

const parameters: fc.Parameters<unknown> = {
  numRuns: RUNS,
  seed: SEED,
  // What was printed is small already.
  ...(PATH !== undefined && { path: PATH, endOnFailure: true }),
}

describe('a session through Warren', function () {
  this.timeout(RUNS * LONGEST_RUN_MS + SHRINKING_MS + 60_000)
  let arena: Arena
  let failedAt: number | undefined

  before(async () => {
    arena = await Arena.open(await sharedBroker())
  })
  beforeEach(() => (failedAt = undefined))
  after(() => arena.close())

  /** Runs one session, and ends what it has open. */
  async function compare(style: Style, session: (lockstep: Lockstep) => Promise<void>): Promise<void> {
    if (failedAt !== undefined && Date.now() - failedAt > SHRINKING_MS) return
    const lockstep = await arena.enter(style)
    let failure: unknown
    try {
      await session(lockstep)
      await lockstep.compareContents({ user: USERS[0], password: PASSWORD })
    } catch (error) {
      failure = error
      failedAt ??= Date.now()
    }
    const log = await arena.leave(lockstep, failure !== undefined)
    if (env['WARREN_DIFFERENTIAL_LOG'] !== undefined) console.log(lockstep.log.join('\n'), '\n')
    if (failure instanceof Difference && log !== '') failure.message += `\nWarren's log:\n${log}`
    if (failure !== undefined) throw failure as Error
  }

  it(`is answered as it is by RabbitMQ itself, command by command${HAS_BUFFER ? ', with a publish buffer' : ''} (seed ${SEED})`, async () => {
    await arena.use(HAS_BUFFER ? BUFFER : [])
    const session = fc.asyncProperty(cast, sessionOf(LENGTH, REPLAY), (who, commands) =>
      compare('stepwise', async (lockstep) => {
        const ledger = new Ledger(who, HAS_BUFFER)
        await openCast(ledger, lockstep)
        await fc.asyncModelRun(() => ({ model: ledger, real: lockstep }), commands)
        await closeCast(ledger, lockstep)
      }),
    )
    await fc.assert(session, parameters)
  })

  it(`is answered as it is by RabbitMQ itself when nobody waits for answers (seed ${SEED})`, async () => {
    await arena.use([])
    const session = fc.asyncProperty(fc.array(burst, { minLength: 1, maxLength: 5 }), (bursts) =>
      compare('pipelined', async (lockstep) => {
        await connectAll(lockstep)
        for (const [nth, one] of bursts.entries()) await runBurst(lockstep, one, nth)
        await closeAll(lockstep)
      }),
    )
    await fc.assert(session, parameters)
  })
})

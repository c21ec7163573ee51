/** What the broker makes of requests that may close a connection, as far as it has been tried. */
import { inject, injectable } from 'inversify'
import type { AmqpError } from '../../domain/amqp/reply-codes.js'
import { TRANSIENT_QUEUE, isMostlyHarmless } from '../../domain/channel/risky-requests.js'
import type { BrokerProfile } from './broker-profile.js'
import { identifiers } from '../identifiers.js'
import type { Clock } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'
import { upstreamFailure } from './upstream-errors.js'

/** A refusal is asked for again after this long: a plugin may have been enabled meanwhile. */
const REFUSAL_MS = 60_000

/** What goes to the broker also when it can't be tried isn't held up again for so long: answers come by the thousand. */
const FAILURE_MS = 10_000

/** Clients can make up any number of kinds: then the oldest answer is forgotten. */
const MOST_ANSWERS = 1000

/** How a trial ended that gave no answer, in words for the client. */
export type TrialFailure = string

interface Answer {
  /** How the broker closed the connection; undefined: it didn't. */
  readonly error: AmqpError | undefined
  /** When it was heard. */
  readonly at: number
}

/** The answers, by kind of request. There is one broker, or a cluster that is one, for all pools. */
@injectable()
export class Trials {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #profile: BrokerProfile
  readonly #answers = new Map<string, Answer>()
  readonly #running = new Map<string, ((failure?: TrialFailure) => void)[]>()
  /** When a kind that is mostly harmless couldn't be tried. */
  readonly #failures = new Map<string, number>()

  constructor(
    @inject(identifiers.Clock) clock: Clock,
    @inject(identifiers.Logger) logger: Logger,
    @inject(identifiers.BrokerProfile) profile: BrokerProfile,
  ) {
    this.#clock = clock
    this.#logger = logger
    this.#profile = profile
  }

  /**
   * What becomes of a connection with a request of this `kind`: the error that closes it, or undefined if it lives on. `wait`: it's
   * being tried, by `attempt` unless somebody's else is under way, and `onDecided` is called when it can be asked again, or with
   * the reason why it couldn't be tried.
   */
  judge(
    kind: string,
    attempt: () => Promise<AmqpError | undefined>,
    onDecided: (failure?: TrialFailure) => void,
  ): AmqpError | 'wait' | undefined {
    if (kind === TRANSIENT_QUEUE && !this.#profile.deniesDeprecated) return undefined
    const answer = this.#answers.get(kind)
    if (answer !== undefined && (answer.error === undefined || this.#clock.now() - answer.at < REFUSAL_MS))
      return answer.error
    const failedAt = this.#failures.get(kind)
    if (failedAt !== undefined && this.#clock.now() - failedAt < FAILURE_MS) return undefined
    const waiting = this.#running.get(kind)
    if (waiting !== undefined) {
      waiting.push(onDecided)
      return 'wait'
    }
    this.#running.set(kind, [onDecided])
    attempt().then(
      (error) => this.#onAnswer(kind, error),
      (error: unknown) => this.#onFailure(kind, error),
    )
    return 'wait'
  }

  #onAnswer(kind: string, error: AmqpError | undefined): void {
    remember(this.#answers, kind, { error, at: this.#clock.now() })
    this.#logger.info('tried on a connection of its own', {
      kind,
      ...(error === undefined ? {} : { code: error.code, reason: error.text }),
    })
    this.#tell(kind)
  }

  #onFailure(kind: string, error: unknown): void {
    const reason = upstreamFailure(error).message
    if (isMostlyHarmless(kind)) remember(this.#failures, kind, this.#clock.now())
    this.#logger.warn('could not be tried on a connection of its own', { kind, reason })
    this.#tell(kind, `${kind} could not be tried on a connection of its own: ${reason}`)
  }

  #tell(kind: string, failure?: TrialFailure): void {
    const waiting = this.#running.get(kind) ?? []
    this.#running.delete(kind)
    for (const onDecided of waiting) onDecided(failure)
  }
}

function remember<T>(memory: Map<string, T>, kind: string, what: T): void {
  if (memory.size >= MOST_ANSWERS) memory.delete(memory.keys().next().value!)
  memory.set(kind, what)
}

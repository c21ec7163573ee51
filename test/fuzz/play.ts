/** Plays worlds: each is one Warren with its neighbours, and everything in it follows from its seed. */
import { Arena, type Tally } from './arena.js'
import { Prng, seedOf } from './prng.js'
import { readRecordings } from './recordings.js'
import { makeRound, type Round, type Step } from './round.js'

const recordings = readRecordings()

/** What happens in one round of a world. */
export function roundOf(seed: number, number: number): Round {
  return makeRound(new Prng(seedOf(seed, number)), recordings)
}

/** Plays the first `rounds` rounds of a world, then ends it. Throws a Failure; `afterRound` says whether to go on. */
export async function playWorld(
  seed: number,
  rounds: number,
  tally: Tally,
  afterRound: (number: number) => boolean = () => true,
): Promise<void> {
  const arena = await Arena.open(seed, tally)
  for (let number = 0; number < rounds; number++) {
    await arena.play(roundOf(seed, number))
    if (!afterRound(number)) break
  }
  await arena.close()
}

/** Plays one round in a world that has seen no other. Throws a Failure. */
export async function playAlone(seed: number, round: Round, tally: Tally): Promise<void> {
  const arena = await Arena.open(seed, tally)
  await arena.play(round)
  await arena.close()
}

/** The steps of a round that fails by itself without which it wouldn't; gives up looking for fewer after `limitMs`. */
export async function shrink(
  round: Round,
  fails: (round: Round) => Promise<boolean>,
  limitMs: number,
): Promise<Round> {
  const end = Date.now() + limitMs
  let steps: readonly Step[] = round.steps
  for (let size = Math.ceil(steps.length / 2); size >= 1 && Date.now() < end;) {
    let isShorter = false
    for (let at = 0; at < steps.length && Date.now() < end;) {
      const fewer = [...steps.slice(0, at), ...steps.slice(at + size)]
      if (await fails({ steps: fewer })) {
        steps = fewer
        isShorter = true
      } else at += size
    }
    if (size === 1 && !isShorter) break
    size = size === 1 ? 1 : Math.ceil(size / 2)
  }
  return { steps }
}

/** A step in words, and the octets that are sent in hex. */
export function describeStep(step: Step): string {
  const { do: what, client, ...details } = step as Step & { bytes?: Buffer }
  const { bytes, ...others } = details as { bytes?: Buffer }
  const rest = Object.keys(others).length > 0 ? ` ${JSON.stringify(others)}` : ''
  return `${client === undefined ? '' : `client ${client}: `}${what}${rest}${bytes === undefined ? '' : ` ${bytes.toString('hex')}`}`
}

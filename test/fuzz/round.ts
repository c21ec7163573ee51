/** What happens in one round, decided beforehand: so it can be repeated, and repeated without some of it. */
import { PROTOCOL_HEADER } from '../support/wire-format.js'
import { mutateSession, type Manner } from './mutations.js'
import type { Prng } from './prng.js'
import type { Recording } from './recordings.js'

/** One thing that a rude client does. */
export type ClientStep =
  | { readonly do: 'connect'; readonly isPolite: boolean }
  | { readonly do: 'send'; readonly bytes: Buffer; readonly frames: number }
  | { readonly do: 'end' }
  | { readonly do: 'reset' }
  | { readonly do: 'stall'; readonly backlog: number }
  | { readonly do: 'drain' }

/** One thing that happens around the clients. */
export type StreetStep =
  | { readonly do: 'settle' }
  | { readonly do: 'pass time'; readonly milliseconds: number }
  | { readonly do: 'neighbours act' }
  | { readonly do: 'broker is lazy'; readonly isLazy: boolean }
  | { readonly do: 'broker works'; readonly seed: number; readonly most: number }
  | { readonly do: 'alarm'; readonly isOn: boolean }
  | { readonly do: 'broker stops reading'; readonly backlog: number }
  | { readonly do: 'broker reads again' }

export type Step = (ClientStep & { readonly client: number }) | (StreetStep & { readonly client?: undefined })

export interface Round {
  readonly steps: readonly Step[]
}

const MOST_CLIENTS = 6
const MEGABYTE = 1024 * 1024
const MANNERS: readonly Manner[] = [
  'clean',
  'gentle',
  'gentle',
  'gentle',
  'gentle',
  'rough',
  'rough',
  'rough',
]

/** Some rude clients whose doings are mixed by chance, with what happens around them in between. */
export function makeRound(prng: Prng, recordings: readonly Recording[]): Round {
  const clients = Array.from({ length: 1 + prng.below(MOST_CLIENTS) }, (_, client) =>
    makeClient(prng, recordings).map((step) => ({ ...step, client })),
  )
  const steps: Step[] = [{ do: 'broker is lazy', isLazy: prng.once(2) }]
  // How much of a session passes before another client has its turn.
  const haste = prng.oneOf([1, 4, 30])
  for (let left = clients; left.length > 0; left = left.filter((script) => script.length > 0)) {
    const script = prng.oneOf(left)
    steps.push(...script.splice(0, 1 + prng.below(haste)))
    if (prng.once(2)) steps.push(inBetween(prng))
  }
  return { steps }
}

/** What one client does from its first to its last moment, as far as that is its own doing. */
function makeClient(prng: Prng, recordings: readonly Recording[]): ClientStep[] {
  const manner = prng.oneOf(MANNERS)
  const frames = mutateSession(prng, recordings, manner)
  const steps: ClientStep[] = [{ do: 'connect', isPolite: prng.once(2) }]
  for (const chunk of cutToChunks(prng, frames)) {
    steps.push({ do: 'send', ...chunk })
    if (prng.once(40)) steps.push({ do: 'stall', backlog: prng.oneOf([0, MEGABYTE, 5 * MEGABYTE]) })
    else if (prng.once(20)) steps.push({ do: 'drain' })
  }
  if (prng.once(3))
    steps.splice(1 + prng.below(steps.length), Infinity, { do: prng.once(2) ? 'end' : 'reset' })
  else if (prng.once(2)) steps.push({ do: 'end' })
  return steps
}

interface Chunk {
  readonly bytes: Buffer
  /** Frames that begin in it. */
  readonly frames: number
}

/** All at once, frame by frame, cut anywhere, or octet by octet. */
function cutToChunks(prng: Prng, frames: readonly Buffer[]): Chunk[] {
  const header: Chunk = { bytes: PROTOCOL_HEADER, frames: 0 }
  const way = prng.below(5)
  if (way === 0) return [{ bytes: Buffer.concat([PROTOCOL_HEADER, ...frames]), frames: frames.length }]
  if (way === 1) return [header, ...frames.map((bytes) => ({ bytes, frames: 1 }))]
  if (way === 2) {
    const chunks: Chunk[] = [header]
    for (let at = 0; at < frames.length;) {
      const group = frames.slice(at, (at += 1 + prng.below(12)))
      chunks.push({ bytes: Buffer.concat(group), frames: group.length })
    }
    return chunks
  }
  const bytes = Buffer.concat([PROTOCOL_HEADER, ...frames])
  const most = way === 3 && bytes.length < 3000 ? 7 : 2000
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length;) pieces.push(bytes.subarray(at, (at += 1 + prng.below(most))))
  // Which frames begin where matters to the count alone.
  return pieces.map((piece, n) => ({ bytes: piece, frames: n === 0 ? frames.length : 0 }))
}

function inBetween(prng: Prng): StreetStep {
  switch (prng.below(20)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
      return { do: 'settle' }
    case 7:
    case 8:
    case 9:
      return { do: 'neighbours act' }
    case 10:
      return { do: 'pass time', milliseconds: prng.oneOf([50, 1000, 4000]) }
    case 11:
    case 12:
      return { do: 'broker is lazy', isLazy: prng.once(2) }
    case 13:
      return { do: 'alarm', isOn: prng.once(2) }
    case 14:
      return { do: 'broker stops reading', backlog: prng.oneOf([0, MEGABYTE]) }
    case 15:
      return { do: 'broker reads again' }
    default:
      return { do: 'broker works', seed: prng.below(2 ** 31), most: 1 + prng.below(8) }
  }
}

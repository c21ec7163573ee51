/** The same hundred short sessions straight to the broker and through Warren, and what they cost. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Broker, BrokerCounts } from './broker.js'
import { type Arrivals, Mailbox } from './mailbox.js'
import { CLIENTS, EXPECTED, MESSAGES_EACH, runSessions, type SessionsOutcome } from './sessions.js'
import type { Warren } from './warren.js'

/** The broker cleans up after clients that have left: that belongs to what they cost. */
const SETTLE_MS = 300
const WARM_UP_CLIENTS = 10

/** One way of running the sessions. */
export interface Outcome extends SessionsOutcome, Arrivals {
  readonly connectionsOpened: number
  /** Known only where the broker is ours. */
  readonly cpuMilliseconds: number | undefined
}

export interface Comparison {
  readonly direct: Outcome
  readonly shared: Outcome
}

export async function demonstrate(broker: Broker, warren: Warren): Promise<Comparison> {
  // The first sessions pay for code that is loaded at first use, here and in the broker.
  await measure(broker, broker.url, WARM_UP_CLIENTS, () => 0)
  const direct = await measure(broker, broker.url, CLIENTS, () => CLIENTS)
  const before = warren.upstreamConnectionsOpened
  const shared = await measure(
    broker,
    warren.urlFor(broker.url),
    CLIENTS,
    () => warren.upstreamConnectionsOpened - before,
  )
  return { direct, shared }
}

/** Whether each message arrived exactly once and in its client's order. */
export function isPerfect({ failures, arrived, repeated, disordered }: Outcome): boolean {
  return failures.length === 0 && arrived === EXPECTED && repeated === 0 && disordered === 0
}

/** `connectionsOpened` is asked afterwards, where the broker can't be. */
async function measure(
  broker: Broker,
  url: URL,
  clients: number,
  connectionsOpened: () => number,
): Promise<Outcome> {
  const mailbox = await Mailbox.open(broker.url)
  const before = await broker.own?.counts()
  const sessions = await runSessions(url, mailbox.queue, clients)
  await delay(SETTLE_MS)
  const after = await broker.own?.counts()
  const arrivals = await mailbox.collect(clients * MESSAGES_EACH)
  await mailbox.close()
  const spent = before && after && difference(before, after)
  return {
    ...sessions,
    ...arrivals,
    connectionsOpened: spent?.connectionsOpened ?? connectionsOpened(),
    cpuMilliseconds: spent?.cpuMilliseconds,
  }
}

function difference(before: BrokerCounts, after: BrokerCounts): BrokerCounts {
  return {
    connectionsOpened: after.connectionsOpened - before.connectionsOpened,
    cpuMilliseconds: after.cpuMilliseconds - before.cpuMilliseconds,
  }
}

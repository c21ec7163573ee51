/** The short-lived clients: each connects, publishes its numbered messages, and leaves politely. */
import { reasonOf, within } from './failure.js'
import { connect } from './login.js'

export const CLIENTS = 100
export const MESSAGES_EACH = 10
export const EXPECTED = CLIENTS * MESSAGES_EACH
export const AT_ONCE = 10
const SESSION_LIMIT_MS = 20_000

export interface SessionsOutcome {
  readonly milliseconds: number
  /** Why sessions failed, one text for each that did. */
  readonly failures: readonly string[]
}

/** Runs the sessions, AT_ONCE at a time. When as many have failed, the rest is not tried. */
export async function runSessions(url: URL, queue: string, clients: number): Promise<SessionsOutcome> {
  const failures: string[] = []
  const started = performance.now()
  let next = 1
  const lane = async (): Promise<void> => {
    while (next <= clients && failures.length < AT_ONCE) {
      const client = next++
      try {
        await within(SESSION_LIMIT_MS, 'The session', session(url, queue, client))
      } catch (error) {
        failures.push(`client ${client}: ${reasonOf(error)}`)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return { milliseconds: performance.now() - started, failures }
}

async function session(url: URL, queue: string, client: number): Promise<void> {
  const connection = await connect(url, `quickstart client ${client}`)
  const channel = await connection.createChannel()
  channel.on('error', () => undefined)
  for (let number = 1; number <= MESSAGES_EACH; number++)
    channel.sendToQueue(queue, Buffer.from(`${client} ${number}`))
  await channel.close()
  await connection.close()
}

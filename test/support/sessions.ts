/** What publishers that come and go leave in a queue: bodies `session:0`, `session:1`… of each session. */
import { expect } from 'chai'

/** `prefix0`, `prefix1`… */
export function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}${n}`)
}

/** That each session's messages are all there, once, persistent, and in the order in which it published them. */
export function expectSessions(
  messages: readonly { body: string; deliveryMode: number | undefined }[],
  sessions: number,
  count: number,
): void {
  const bySession = new Map<string, number[]>()
  for (const { body, deliveryMode } of messages) {
    const [session, n] = body.split(':')
    bySession.set(session, [...(bySession.get(session) ?? []), Number(n)])
    expect(deliveryMode).to.equal(2)
  }
  expect(bySession.size).to.equal(sessions)
  for (const numbers of bySession.values()) expect(numbers).to.deep.equal([...Array(count).keys()])
}

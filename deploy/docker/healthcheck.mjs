/**
 * Exit code 0 while Warren is alive, 1 otherwise, as Docker wants it. Asks on loopback, at the port that the environment tells
 * (AMQP_MANAGEMENT_PORT, or AMQP_LISTEN_PORT + 1000); where a file sets the ports, WARREN_URL has to say it.
 */
const { WARREN_URL, AMQP_MANAGEMENT_PORT, AMQP_LISTEN_PORT } = process.env
// An empty variable counts as not set, as in Warren itself.
const port = /^\d+$/.test(AMQP_MANAGEMENT_PORT ?? '')
  ? AMQP_MANAGEMENT_PORT
  : Number(AMQP_LISTEN_PORT || 5673) + 1000
const url = new URL('/healthz', WARREN_URL || `http://127.0.0.1:${port}`)

try {
  const { ok } = await fetch(url, { signal: AbortSignal.timeout(4000) })
  process.exitCode = ok ? 0 : 1
} catch {
  process.exitCode = 1
}

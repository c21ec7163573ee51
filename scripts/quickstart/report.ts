/** What the person at the keyboard gets to read. */
import type { Broker } from './broker.js'
import type { Comparison, Outcome } from './demonstration.js'
import { AT_ONCE, CLIENTS, EXPECTED, MESSAGES_EACH } from './sessions.js'
import { USUAL_PORT } from './ports.js'
import type { Warren } from './warren.js'

const COLUMN = 17

export function introduction(broker: Broker, warren: Warren): string {
  const isWanted = (process.env['AMQP_LISTEN_PORT'] ?? '') !== ''
  const another = warren.port === USUAL_PORT || isWanted ? '' : ` (${USUAL_PORT} is taken)`
  return `
Broker   ${broker.origin}
Warren   on 127.0.0.1:${warren.port}${another}, in front of it

${CLIENTS} short-lived clients, ${AT_ONCE} at a time, each connect, publish ${MESSAGES_EACH} messages and leave:
first directly to RabbitMQ, then through Warren.
`
}

export function comparison({ direct, shared }: Comparison, broker: Broker): string {
  const rows = [
    row('', 'directly', 'through Warren'),
    row('messages that arrived', arrived(direct), arrived(shared)),
    row('connections RabbitMQ had to open', direct.connectionsOpened, shared.connectionsOpened),
  ]
  if (direct.cpuMilliseconds !== undefined && shared.cpuMilliseconds !== undefined)
    rows.push(row("RabbitMQ's CPU time", `${direct.cpuMilliseconds} ms`, `${shared.cpuMilliseconds} ms`))
  rows.push(row('time', milliseconds(direct), milliseconds(shared)))
  if (!broker.own)
    rows.push(
      '',
      'This RabbitMQ is not ours to ask: the connections are counted by the clients and by Warren.',
    )
  return rows.join('\n')
}

/** The gist, or what went wrong. */
export function verdict({ direct, shared }: Comparison): string {
  const problems = [...problemsOf('Directly', direct), ...problemsOf('Through Warren', shared)]
  if (problems.length > 0) return problems.join('\n')
  const connections =
    shared.connectionsOpened === 1 ? '1 connection' : `${shared.connectionsOpened} connections`
  return (
    `Warren carried ${CLIENTS} clients over ${connections}: ` +
    "every message arrived exactly once, in its client's order."
  )
}

function problemsOf(way: string, { failures, arrived, repeated, disordered }: Outcome): string[] {
  const problems = []
  if (failures.length > 0) problems.push(`${failures.length} clients failed, the first being ${failures[0]}.`)
  if (arrived < EXPECTED) problems.push(`${EXPECTED - arrived} messages are missing.`)
  if (repeated > 0) problems.push(`${repeated} messages arrived more than once.`)
  if (disordered > 0) problems.push(`${disordered} messages were overtaken by later ones of their client.`)
  return problems.map((problem) => `${way}: ${problem}`)
}

export function invitation(broker: Broker, warren: Warren): string {
  const url = warren.urlFor(broker.url)
  // A password that was given to us isn't ours to show.
  if (!broker.own && url.password !== 'guest') url.password = 'PASSWORD'
  return `
Warren stays up. Point any AMQP 0-9-1 client at

    ${url.href}

and watch it at

    ${warren.statusPage}

Ctrl-C ends Warren${broker.own ? ' and the RabbitMQ that was started for it' : ''}.`
}

function row(label: string, direct: string | number, shared: string | number): string {
  return `${label.padEnd(34)}${String(direct).padStart(COLUMN)}${String(shared).padStart(COLUMN)}`
}

function arrived(outcome: Outcome): string {
  return `${outcome.arrived} of ${EXPECTED}`
}

function milliseconds(outcome: Outcome): string {
  return `${Math.round(outcome.milliseconds)} ms`
}

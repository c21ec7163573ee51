/** What warrenctl shows of each answer. */
import type { Json } from './management-client.js'
import { ageText, bytesText, facts, table } from './table.js'

const text = (row: Json, name: string): string => {
  const value = row[name]
  return typeof value === 'string'
    ? value
    : value === null || value === undefined
      ? '-'
      : JSON.stringify(value)
}
const number = (row: Json, name: string): number => row[name] as number
const limitText = (limit: number): string | number => (limit === 0 ? 'unlimited' : limit)

/** `status`: the limit in short, in the words of seeds/003. */
export function statusView(limit: Json, stats: Json): string {
  return facts([
    ['Current Limit', limitText(number(limit, 'current_limit'))],
    ['Active Connections', number(limit, 'active_connections')],
    ['Usage Percentage', `${number(stats, 'usage_percentage')}%`],
  ])
}

/** `stats`. */
export function statsView(stats: Json): string {
  const free = stats['available_slots']
  return facts([
    ['Active Connections', number(stats, 'active_connections')],
    ['Max Connections', limitText(number(stats, 'max_connections'))],
    ['Usage Percentage', `${number(stats, 'usage_percentage')}%`],
    ['Available Slots', typeof free === 'number' ? free : 'unlimited'],
  ])
}

/** `health`. */
export function healthView(health: Json, ready: Json): string {
  const reasons = ready['reasons'] as string[]
  const warnings = (ready['warnings'] ?? []) as string[]
  return facts([
    ['Status', text(health, 'status')],
    ['Service', text(health, 'service')],
    ['Ready', reasons.length === 0 ? 'yes' : `no: ${reasons.join('; ')}`],
    ...warnings.map((warning): [string, string] => ['Warning', warning]),
  ])
}

/** `clients`. */
export function clientsView(answer: Json): string {
  return list(answer, 'clients', (rows) =>
    table(
      [
        { title: 'ID', of: (row) => text(row, 'id') },
        { title: 'REMOTE', of: (row) => text(row, 'remote_address') },
        { title: 'NAME', of: (row) => text(row, 'connection_name') },
        { title: 'USER', of: (row) => text(row, 'user') },
        { title: 'VHOST', of: (row) => text(row, 'vhost') },
        { title: 'POOL', of: (row) => text(row, 'pool') },
        { title: 'STATE', of: (row) => text(row, 'state') },
        { title: 'CHANNELS', of: (row) => number(row, 'channels') },
        { title: 'IN', of: (row) => bytesText(number(row, 'bytes_in')) },
        { title: 'OUT', of: (row) => bytesText(number(row, 'bytes_out')) },
        { title: 'AGE', of: (row) => ageText(number(row, 'age_seconds')) },
      ],
      rows,
    ),
  )
}

/** `upstreams`. */
export function upstreamsView(answer: Json): string {
  return list(answer, 'upstreams', (rows) =>
    table(
      [
        { title: 'ID', of: (row) => text(row, 'id') },
        { title: 'POOL', of: (row) => text(row, 'pool') },
        { title: 'USER', of: (row) => text(row, 'user') },
        { title: 'VHOST', of: (row) => text(row, 'vhost') },
        { title: 'STATE', of: (row) => text(row, 'state') },
        { title: 'ROLE', of: (row) => text(row, 'role') },
        { title: 'CHANNELS', of: (row) => number(row, 'channels') },
        { title: 'SPARE', of: (row) => number(row, 'spare_channels') },
        { title: 'MAX', of: (row) => number(row, 'max_channels') },
        { title: 'IN', of: (row) => bytesText(number(row, 'bytes_in')) },
        { title: 'OUT', of: (row) => bytesText(number(row, 'bytes_out')) },
        { title: 'AGE', of: (row) => ageText(number(row, 'age_seconds')) },
      ],
      rows,
    ),
  )
}

/** `pools`. */
export function poolsView(answer: Json): string {
  return list(answer, 'pools', (rows) =>
    table(
      [
        { title: 'ID', of: (row) => text(row, 'id') },
        { title: 'USER', of: (row) => text(row, 'user') },
        { title: 'VHOST', of: (row) => text(row, 'vhost') },
        { title: 'STATE', of: (row) => text(row, 'state') },
        { title: 'CLIENTS', of: (row) => number(row, 'clients') },
        { title: 'UPSTREAMS', of: (row) => number(row, 'upstreams') },
        { title: 'CHANNELS', of: (row) => number(row, 'channels') },
        { title: 'BUFFERED', of: (row) => number(row, 'buffered_messages') },
      ],
      rows,
    ),
  )
}

/** `aside`. */
export function asideView(answer: Json): string {
  if (number(answer, 'total') === 0) return 'No messages are set aside.\n'
  return list(answer, 'aside', (rows) =>
    table(
      [
        { title: 'ID', of: (row) => text(row, 'id') },
        { title: 'REFUSED AT', of: (row) => text(row, 'refused_at') },
        { title: 'USER', of: (row) => text(row, 'user') },
        { title: 'VHOST', of: (row) => text(row, 'vhost') },
        { title: 'EXCHANGE', of: (row) => text(row, 'exchange') || '(default)' },
        { title: 'ROUTING KEY', of: (row) => text(row, 'routing_key') },
        { title: 'SIZE', of: (row) => bytesText(number(row, 'size')) },
        { title: 'TOLD', of: (row) => (row['publisher_told'] === true ? 'yes' : 'no') },
        { title: 'REASON', of: (row) => (row['expired'] === true ? 'expired; ' : '') + text(row, 'reason') },
      ],
      rows,
    ),
  )
}

/** `workers`. */
export function workersView(answer: Json): string {
  if (number(answer, 'total') === 0) return 'Warren is one process, without workers.\n'
  return list(answer, 'workers', (rows) =>
    table(
      [
        { title: 'ID', of: (row) => text(row, 'id') },
        { title: 'PID', of: (row) => text(row, 'pid') },
        { title: 'STATE', of: (row) => text(row, 'state') },
        { title: 'CLIENTS', of: (row) => number(row, 'clients') },
        { title: 'STARTS', of: (row) => number(row, 'starts') },
        { title: 'AGE', of: (row) => ageText(number(row, 'age_seconds')) },
      ],
      rows,
    ),
  )
}

/** `history`. */
export function historyView(answer: Json): string {
  const rows = answer['changes'] as Json[]
  if (rows.length === 0) return 'The limit has not been changed.\n'
  return table(
    [
      { title: 'TIME', of: (row) => text(row, 'time') },
      { title: 'OLD', of: (row) => limitText(number(row, 'old')) },
      { title: 'NEW', of: (row) => limitText(number(row, 'new')) },
      { title: 'WHO', of: (row) => text(row, 'who') },
    ],
    rows,
  )
}

/** `top`: everything at a glance; rates since `before`, which is `seconds` older. */
export function topView(now: Json, before: Json | undefined, seconds: number, clients: Json): string {
  const traffic = now['traffic'] as Record<string, number>
  const former = before?.['traffic'] as Record<string, number> | undefined
  const rate = (name: string): number =>
    former === undefined || seconds <= 0 ? 0 : Math.max(0, (traffic[name] - former[name]) / seconds)
  const counts = (name: string): string =>
    Object.entries(now[name] as Record<string, number>)
      .map(([state, count]) => `${count} ${state}`)
      .join(', ')
  const process = now['process'] as Record<string, number>
  const messages = (name: string): string => {
    const kept = now[name] as Record<string, number>
    return `${kept['messages']} messages, ${bytesText(kept['bytes'])}`
  }
  return [
    `Warren ${text(now, 'version')} on ${text(now, 'host')}, up ${ageText(number(now, 'uptime_seconds'))}`,
    '',
    `clients    ${counts('clients')}; limit ${limitText(number(now, 'client_limit'))}`,
    `upstreams  ${counts('upstreams')}; limit ${limitText(number(now, 'upstream_limit'))}`,
    `channels   ${number(now, 'client_channels')} of clients; upstream ${counts('upstream_channels')}`,
    `pools      ${counts('pools')}`,
    `buffer     ${messages('buffered')}; unconfirmed ${messages('unconfirmed')}; set aside ${messages('aside')}`,
    `rates      ${rate('publishes').toFixed(0)} publishes/s, ${rate('deliveries').toFixed(0)} deliveries/s, ` +
      `${bytesText(Math.round(rate('bytes_in')))}/s in, ${bytesText(Math.round(rate('bytes_out')))}/s out, ` +
      `${rate('accepted').toFixed(0)} connects/s`,
    `process    ${bytesText(process['resident_bytes'])}, event loop lag ${(process['event_loop_lag_p99_seconds'] * 1000).toFixed(1)} ms (p99)`,
    '',
    clientsView(clients),
  ].join('\n')
}

function list(answer: Json, name: string, render: (rows: readonly Json[]) => string): string {
  const rows = answer[name] as Json[]
  const total = number(answer, 'total')
  if (rows.length === 0) return `No ${name}.\n`
  return render(rows) + (rows.length < total ? `${rows.length} of ${total} ${name}\n` : '')
}

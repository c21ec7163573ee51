/** A workload's results as a table for people. */
import type { Series } from '../measure/series.js'
import { summarise, type Summary } from './summary.js'

interface Column {
  title: string
  cell(summary: Summary): string
}

/** The load generator has no time left: the target could be faster. */
const BOTTLENECK = 0.9

/** Others on the machine that take this much of a core disturb the measurement. */
const DISTURBANCE = 0.25

export function table(series: Series): string {
  const summaries = summarise(series)
  const columns = series.workload.load === 'idle' ? idleColumns : columnsFor(summaries)
  const rows = [columns.map((column) => column.title)]
  for (const summary of summaries) {
    if (Number.isFinite(summary.operationsPerSecond)) rows.push(columns.map((column) => column.cell(summary)))
  }
  const { workload, upstream, connections } = series
  const clients = workload.once ? (series.results[0]?.rounds[0]?.operations ?? connections) : connections
  const heading = `${workload.name}: ${workload.title}; ${upstream}, ${plural(clients, 'connection')}`
  return [heading, ...aligned(rows), ...summaries.flatMap((one) => notes(one, series))].join('\n')
}

const idleColumns: Column[] = [
  { title: 'target', cell: (one) => one.target },
  { title: 'clients/s', cell: (one) => quantity(one.operationsPerSecond) },
  { title: 'proxy µs/client', cell: (one) => quantity(one.proxy.median) },
  { title: 'broker µs/client', cell: (one) => quantity(one.broker) },
  { title: 'proxy KiB/client', cell: (one) => quantity(one.memory.perOperation / 1024) },
  { title: 'proxy MiB in all', cell: (one) => quantity(one.memory.after / 1048576) },
]

function columnsFor(summaries: Summary[]): Column[] {
  const direct = summaries.find((summary) => summary.target === 'direct')
  const haproxy = summaries.find((summary) => summary.target === 'haproxy')
  const columns: Column[] = [
    { title: 'target', cell: (one) => one.target },
    { title: 'op/s', cell: (one) => quantity(one.operationsPerSecond) },
    { title: '/ direct', cell: (one) => ratio(one.operationsPerSecond, direct?.operationsPerSecond) },
    { title: 'proxy µs/op', cell: (one) => (one.isProxy ? quantity(one.proxy.median) : '') },
    { title: 'range', cell: (one) => (one.isProxy ? range(one.proxy.least, one.proxy.most) : '') },
    {
      title: '/ haproxy',
      cell: (one) => (one.isProxy ? ratio(one.proxy.median, haproxy?.proxy.median) : ''),
    },
    { title: 'broker µs/op', cell: (one) => quantity(one.broker) },
    { title: '/ direct', cell: (one) => ratio(one.broker, direct?.broker) },
    { title: 'load µs/op', cell: (one) => quantity(one.load) },
    { title: 'proxy busy', cell: (one) => (one.isProxy ? percent(one.busy.proxy) : '') },
  ]
  return summaries.some((summary) => summary.latency)
    ? [...columns, ...latencyColumns(direct, haproxy)]
    : columns
}

function latencyColumns(direct: Summary | undefined, haproxy: Summary | undefined): Column[] {
  const over = (one: Summary, other: Summary | undefined): string =>
    one.latency && other?.latency ? quantity(one.latency.p50 - other.latency.p50) : ''
  return [
    { title: 'p50 µs', cell: (one) => quantity(one.latency?.p50 ?? NaN) },
    { title: '- direct', cell: (one) => over(one, direct) },
    { title: '- haproxy', cell: (one) => over(one, haproxy) },
    { title: 'p99 µs', cell: (one) => quantity(one.latency?.p99 ?? NaN) },
  ]
}

function notes(summary: Summary, { workload }: Series): string[] {
  const { target, early, failure } = summary
  const lines: string[] = []
  if (failure) lines.push(`failed: ${failure.replaceAll('\n', '\n    ')}`)
  // A workload that rests at its end tells nothing by shares of time.
  if (!workload.once) lines.push(...disturbances(summary))
  if (early) lines.push('answered before the broker had seen everything')
  return lines.map((line) => `  ${target}: ${line}`)
}

function disturbances({ busy }: Summary): string[] {
  const lines: string[] = []
  if (busy.load >= BOTTLENECK) {
    lines.push(`the load generator was the bottleneck (${percent(busy.load)} of a core)`)
  }
  if (busy.other >= DISTURBANCE) lines.push(`other processes took ${percent(busy.other)} of a core`)
  return lines
}

function aligned(rows: string[][]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) => {
    const cells = row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
    return `  ${cells.join('  ')}`.trimEnd()
  })
}

/** Three significant digits, with thousands set apart. */
export function quantity(value: number): string {
  if (!Number.isFinite(value)) return '-'
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US')
  return value.toPrecision(Math.abs(value) < 0.1 ? 2 : 3)
}

function range(least: number, most: number): string {
  return `${quantity(least)}–${quantity(most)}`
}

function ratio(value: number, base: number | undefined): string {
  return base && Number.isFinite(value) ? (value / base).toFixed(2) : '-'
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

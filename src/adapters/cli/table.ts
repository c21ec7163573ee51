/** Tables and figures for people. */

/** A column: its title, and what stands in it. Numbers stand on the right. */
export interface Column<Row> {
  readonly title: string
  readonly of: (row: Row) => string | number
}

/** Lines of equal columns under their titles, ending with a newline. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map(({ of }) => of(row)))
  const widths = columns.map(({ title }, at) =>
    Math.max(title.length, ...cells.map((line) => printable(line[at]).length)),
  )
  const lines = [columns.map(({ title }) => title), ...cells].map((line) =>
    line
      .map((cell, at) => {
        const isRight = typeof (cells[0]?.[at] ?? '') === 'number'
        const text = printable(cell)
        return isRight ? text.padStart(widths[at]) : text.padEnd(widths[at])
      })
      .join('  ')
      .trimEnd(),
  )
  return `${lines.join('\n')}\n`
}

/** `Name:  value` lines, ending with a newline. */
export function facts(entries: readonly (readonly [string, string | number])[]): string {
  return entries.map(([name, value]) => `${name}: ${printable(value)}\n`).join('')
}

/** What clients call themselves doesn't get to move the cursor. */
function printable(value: string | number): string {
  return String(value).replace(/[^\x20-\x7e\xa0-\u{10ffff}]/gu, '\ufffd')
}

/** `1.5 MiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let at = 0
  for (; value >= 1024 && at < units.length - 1; at++) value /= 1024
  return at === 0 ? `${value} B` : `${value.toFixed(1)} ${units[at]}`
}

/** `3d 4h`, `2m 5s`. */
export function ageText(seconds: number): string {
  const s = Math.floor(seconds)
  if (s < 60) return `${s}s`
  if (s < 3600) return `${Math.floor(s / 60)}m ${s % 60}s`
  if (s < 86_400) return `${Math.floor(s / 3600)}h ${Math.floor((s % 3600) / 60)}m`
  return `${Math.floor(s / 86_400)}d ${Math.floor((s % 86_400) / 3600)}h`
}

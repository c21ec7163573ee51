/** Lists with thousands of entries, page by page. */
import { HttpError } from './http-error.js'
import { snakeCase, snakeName } from './snake-case.js'

/** Which part of a list, as the query says it. */
export interface PageQuery {
  readonly search?: string
  readonly sort?: string
  readonly offset?: string
  readonly limit?: string
}

const USUAL_LIMIT = 100
const MOST = 1000

/**
 * The part of `items` that `query` asks for, under `name`, and how many match in all. Throws {@link HttpError}.
 * Only that part gets its names translated: with 10,000 clients the rest would hold up everybody's messages.
 */
export function pageOf(name: string, items: readonly object[], query: PageQuery): object {
  const { search = '', sort = '', offset = '0', limit = String(USUAL_LIMIT) } = query
  const rows = sorted(matching(items as readonly Row[], search), sort)
  const from = Number(offset)
  const part = rows.slice(from, from + Math.min(Number(limit), MOST))
  return { total: rows.length, offset: from, [name]: snakeCase(part) }
}

type Row = Readonly<Record<string, unknown>>

function matching(rows: readonly Row[], search: string): readonly Row[] {
  if (search === '') return rows
  const wanted = search.toLowerCase()
  const matches = (value: unknown): boolean =>
    typeof value === 'string' && value.toLowerCase().includes(wanted)
  return rows.filter((row) => Object.values(row).some(matches))
}

function sorted(rows: readonly Row[], sort: string): readonly Row[] {
  if (sort === '' || rows.length === 0) return rows
  const isDown = sort.startsWith('-')
  const wanted = isDown ? sort.slice(1) : sort
  const fields = Object.keys(rows[0])
  const field = fields.find((candidate) => snakeName(candidate) === wanted)
  if (field === undefined)
    throw new HttpError(
      400,
      `can't sort by ${JSON.stringify(wanted)}: there is ${fields.map(snakeName).join(', ')}`,
    )
  const direction = isDown ? -1 : 1
  return rows
    .map((row) => ({ row, key: sortKey(row[field]) }))
    .sort((a, b) => (a.key < b.key ? -direction : a.key > b.key ? direction : 0))
    .map(({ row }) => row)
}

const DIGITS = 12

/** Made once for each row, as comparing texts by the rules of a language takes too long for thousands. c9 comes before c10. */
function sortKey(value: unknown): number | string {
  if (typeof value === 'number') return value
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? '')
  return text.toLowerCase().replace(/\d+/g, (number) => number.padStart(DIGITS, '0'))
}

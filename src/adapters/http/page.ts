/** Lists with thousands of entries, page by page. */
import { HttpError } from './http-error.js'
import { snakeCase } from './snake-case.js'

/** Which part of a list, as the query says it. */
export interface PageQuery {
  readonly search?: string
  readonly sort?: string
  readonly offset?: string
  readonly limit?: string
}

const USUAL_LIMIT = 100
const MOST = 1000

/** The part of `items` that `query` asks for, under `name`, and how many match in all. Throws {@link HttpError}. */
export function pageOf(name: string, items: readonly object[], query: PageQuery): object {
  const { search = '', sort = '', offset = '0', limit = String(USUAL_LIMIT) } = query
  let rows = items.map((item) => snakeCase(item) as Record<string, unknown>)
  if (search !== '') {
    const wanted = search.toLowerCase()
    rows = rows.filter((row) =>
      Object.values(row).some((value) => typeof value === 'string' && value.toLowerCase().includes(wanted)),
    )
  }
  if (sort !== '') rows = sorted(rows, sort)
  const from = Number(offset)
  return { total: rows.length, offset: from, [name]: rows.slice(from, from + Math.min(Number(limit), MOST)) }
}

function sorted(rows: Record<string, unknown>[], sort: string): Record<string, unknown>[] {
  const isDown = sort.startsWith('-')
  const field = isDown ? sort.slice(1) : sort
  if (rows.length > 0 && !Object.hasOwn(rows[0], field))
    throw new HttpError(
      400,
      `can't sort by ${JSON.stringify(field)}: there is ${Object.keys(rows[0]).join(', ')}`,
    )
  const direction = isDown ? -1 : 1
  return rows.sort((a, b) => direction * compare(a[field], b[field]))
}

/** c9 comes before c10. */
function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return textOf(a).localeCompare(textOf(b), 'en', { numeric: true })
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? '')
}

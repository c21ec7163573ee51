/** What a route is, and what all of them have in common. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Outcome } from '../../../application/operations/operations.js'
import type { Role } from '../access.js'
import { HttpError } from '../http-error.js'
import { type PageQuery, pageOf } from '../page.js'
import { type Schema, pageQuery } from '../schemas.js'

/** One route. */
export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly url: string
  readonly role: Role
  readonly summary: string
  readonly body?: Schema
  readonly query?: Schema
  readonly params?: Schema
  /** What is said of a body that isn't as it has to be. */
  readonly invalidBody?: string
  /** Of the answer with status 200, unless it isn't JSON. */
  readonly answer?: Schema
  /** Returns the body of the answer. Throws {@link HttpError}. */
  readonly handle: (request: FastifyRequest, reply: FastifyReply) => unknown
}

/** Which one the path is about. */
function idOf({ params }: FastifyRequest): string {
  return (params as { id: string }).id
}

/** `1 client`, `2 clients`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

/** The answer to an operation that was done. Throws {@link HttpError} when it was refused. */
export function succeed<Done extends object>(
  outcome: Outcome<Done>,
  message: (done: Done) => string,
): object {
  if ('refused' in outcome) throw new HttpError(outcome.refused === 'unknown' ? 404 : 409, outcome.reason)
  return { status: 'success', ...outcome.done, message: message(outcome.done) }
}

/** What differs between the lists. */
interface List extends Required<Pick<Route, 'summary' | 'answer'>> {
  /** In the path, and in the answer. */
  readonly name: string
  readonly rows: () => readonly object[] | Promise<readonly object[]>
}

/** A list, of which the query says the part that is wanted. */
export function listRoute({ name, rows, ...route }: List): Route {
  return {
    ...route,
    method: 'GET',
    url: `/${name}`,
    role: 'read',
    query: pageQuery,
    handle: async ({ query }) => pageOf(name, await rows(), query as PageQuery),
  }
}

/** What differs between the changes to one thing. */
interface ChangeToOne<Done extends object> extends Omit<Route, 'role' | 'handle'> {
  readonly act: (id: string) => Outcome<Done> | Promise<Outcome<Done>>
  /** The message of the answer. */
  readonly tell: (done: Done) => string
}

/** A change to the one thing that the path names. */
export function changeToOne<Done extends object>({ act, tell, ...route }: ChangeToOne<Done>): Route {
  return { ...route, role: 'change', handle: async (request) => succeed(await act(idOf(request)), tell) }
}

/** The client limit: read, set, raised, lowered, lifted. */
import type { FastifyRequest } from 'fastify'
import type { Limits } from '../../../application/operations/limits.js'
import {
  type LimitAuthor,
  type LimitChange,
  type LimitRefusal,
  isRefusal,
} from '../../../domain/policy/connection-limit.js'
import { HttpError } from '../http-error.js'
import * as schema from '../schemas.js'
import type { Route } from './route.js'

const MUST_BE_POSITIVE = 'connection limit must be positive'

export function limitRoutes(limits: Limits): Route[] {
  return [
    {
      method: 'GET',
      url: '/limit',
      role: 'read',
      summary: 'The limit on clients, and how many there are; 0 is no limit.',
      answer: schema.limit,
      handle: () => ({ currentLimit: limits.clients.limit, activeConnections: limits.clients.active }),
    },
    {
      method: 'GET',
      url: '/limit/history',
      role: 'read',
      summary: 'What the limit was changed to, when, and by which way.',
      answer: schema.limitHistory,
      handle: () => ({
        changes: limits.clients.history.map(({ at, ...change }) => ({
          time: new Date(at).toISOString(),
          ...change,
        })),
      }),
    },
    {
      method: 'PUT',
      url: '/limit',
      role: 'change',
      summary: 'Sets the limit on clients. Below the number of those that are connected it is refused.',
      body: schema.limitBody,
      invalidBody: MUST_BE_POSITIVE,
      answer: schema.limitSet,
      handle: (request) => {
        const { limit } = request.body as { limit: number }
        const change = changed(limits.set(limit, authorOf(request)))
        return {
          status: 'success',
          newLimit: change.new,
          message: `Connection limit updated to ${change.new}`,
        }
      },
    },
    stepRoute('increase', 'Raises the limit on clients.', schema.limitIncreased, limits),
    stepRoute('decrease', 'Lowers the limit on clients.', schema.limitDecreased, limits),
    {
      method: 'DELETE',
      url: '/limit',
      role: 'change',
      summary: 'Lifts the limit on clients.',
      answer: schema.limitLifted,
      handle: (request) => {
        const change = limits.lift(authorOf(request))
        return {
          status: 'success',
          oldLimit: change.old,
          newLimit: change.new,
          message: `Connection limit of ${change.old} lifted`,
        }
      },
    },
  ]
}

function stepRoute(
  step: 'increase' | 'decrease',
  summary: string,
  answer: schema.Schema,
  limits: Limits,
): Route {
  return {
    method: 'POST',
    url: `/limit/${step}`,
    role: 'change',
    summary,
    body: schema.amountBody,
    invalidBody: 'amount must be positive',
    answer,
    handle: (request) => {
      const { amount } = request.body as { amount: number }
      const change = changed(limits[step](amount, authorOf(request)))
      return {
        status: 'success',
        oldLimit: change.old,
        newLimit: change.new,
        [`${step}Amount`]: amount,
        message: `Connection limit ${step}d from ${change.old} to ${change.new}`,
      }
    },
  }
}

/** warrenctl says that it's warrenctl. */
function authorOf({ headers }: FastifyRequest): LimitAuthor {
  return headers['x-warren-client'] === 'cli' ? 'cli' : 'http'
}

function changed(outcome: LimitChange | LimitRefusal): LimitChange {
  if (isRefusal(outcome)) throw new HttpError(outcome.kind === 'invalid' ? 400 : 409, outcome.reason)
  return outcome
}

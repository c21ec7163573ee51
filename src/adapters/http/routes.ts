/** The table of routes: what each is for, who may use it, and which use case it stands for. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Limits } from '../../application/operations/limits.js'
import type { Outcome } from '../../application/operations/operations.js'
import type { LogLevels } from '../../application/ports/log-levels.js'
import type {
  Controls,
  ReadinessCheck,
  Reloading,
  Sight,
  Workers,
} from '../../application/ports/management.js'
import type { LogLevel } from '../../application/settings.js'
import {
  type LimitAuthor,
  type LimitChange,
  type LimitRefusal,
  isRefusal,
} from '../../domain/policy/connection-limit.js'
import type { Role } from './access.js'
import { HttpError } from './http-error.js'
import { pageOf, type PageQuery } from './page.js'
import * as schema from './schemas.js'
import { snakeCase } from './snake-case.js'

/** What the routes translate to and from HTTP. */
export interface UseCases {
  readonly overview: Omit<Sight, 'summary'> & {
    /** With the figures of the process, or of all processes. */
    summary(): object | Promise<object>
  }
  readonly operations: Controls
  readonly limits: Limits
  readonly readiness: ReadinessCheck
  readonly reload: Reloading
  /** Undefined where the logger is another program's, and has none. */
  readonly logLevels: LogLevels | undefined
  readonly workers: Workers
  /** The metrics for Prometheus. */
  readonly metrics: { readonly contentType: string; render(): Promise<string> }
}

/** One route. */
export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly url: string
  readonly role: Role
  readonly summary: string
  readonly body?: schema.Schema
  readonly query?: schema.Schema
  readonly params?: schema.Schema
  /** What is said of a body that isn't as it has to be. */
  readonly invalidBody?: string
  /** Of the answer with status 200, unless it isn't JSON. */
  readonly answer?: schema.Schema
  /** Returns the body of the answer. Throws {@link HttpError}. */
  readonly handle: (request: FastifyRequest, reply: FastifyReply) => unknown
}

const SERVICE = 'warren'
const MUST_BE_POSITIVE = 'connection limit must be positive'
const AMOUNT_MUST_BE_POSITIVE = 'amount must be positive'

/** Every route but those for the page and the OpenAPI document. */
export function routesOf({
  overview,
  operations,
  limits,
  readiness,
  reload,
  logLevels,
  workers,
  metrics,
}: UseCases): Route[] {
  const routes: Route[] = [
    {
      method: 'GET',
      url: '/health',
      role: 'public',
      summary: 'Whether Warren is alive.',
      answer: schema.health,
      handle: () => ({ status: 'healthy', service: SERVICE }),
    },
    {
      method: 'GET',
      url: '/healthz',
      role: 'public',
      summary: 'Whether Warren is alive, for Kubernetes and its kin.',
      answer: schema.health,
      handle: () => ({ status: 'healthy', service: SERVICE }),
    },
    {
      method: 'GET',
      url: '/readyz',
      role: 'public',
      summary: 'Whether Warren accepts clients and can reach the broker; 503 with the reasons if not.',
      answer: schema.readiness,
      handle: async (_, reply) => {
        const reasons = await readiness.reasons()
        if (reasons.length > 0) void reply.code(503)
        const warnings = await readiness.warnings()
        return { status: reasons.length === 0 ? 'ready' : 'not ready', reasons, warnings }
      },
    },
    {
      method: 'GET',
      url: '/metrics',
      role: 'read',
      summary: 'Metrics for Prometheus.',
      handle: async (_, reply) => {
        void reply.type(metrics.contentType)
        return metrics.render()
      },
    },
    {
      method: 'GET',
      url: '/stats',
      role: 'read',
      summary: 'How full Warren is.',
      answer: schema.stats,
      handle: () => overview.stats(),
    },
    {
      method: 'GET',
      url: '/summary',
      role: 'read',
      summary: 'Sums over clients, upstream connections, pools, traffic and the process.',
      answer: schema.summary,
      handle: () => overview.summary(),
    },
    ...limitRoutes(limits),
    {
      method: 'GET',
      url: '/clients',
      role: 'read',
      summary: 'Clients, page by page.',
      query: schema.pageQuery,
      answer: schema.clients,
      handle: async ({ query }) => pageOf('clients', await overview.clients(), query as PageQuery),
    },
    {
      method: 'DELETE',
      url: '/clients/:id',
      role: 'change',
      summary: "Ends a client's connection with Connection.Close 320.",
      params: schema.byId,
      answer: schema.clientKilled,
      handle: async (request) =>
        succeed(await operations.killClient(idOf(request)), ({ client }) => `Client ${client} closed`),
    },
    {
      method: 'GET',
      url: '/upstreams',
      role: 'read',
      summary: 'Upstream connections, page by page.',
      query: schema.pageQuery,
      answer: schema.upstreams,
      handle: async ({ query }) => pageOf('upstreams', await overview.upstreams(), query as PageQuery),
    },
    {
      method: 'DELETE',
      url: '/upstreams/:id',
      role: 'change',
      summary: 'Closes an upstream connection; its clients are told with Connection.Close 320.',
      params: schema.byId,
      answer: schema.upstreamClosed,
      handle: async (request) =>
        succeed(
          await operations.closeUpstream(idOf(request)),
          ({ upstream, channels }) =>
            `Upstream connection ${upstream} closed with ${counted(channels, 'channel')}`,
        ),
    },
    {
      method: 'GET',
      url: '/pools',
      role: 'read',
      summary: 'Pools, page by page.',
      query: schema.pageQuery,
      answer: schema.pools,
      handle: async ({ query }) => pageOf('pools', await overview.pools(), query as PageQuery),
    },
    {
      method: 'POST',
      url: '/pools/:id/pause',
      role: 'change',
      summary: 'Holds new messages and channels of a pool, and lets what is in flight settle.',
      params: schema.byId,
      answer: schema.poolPaused,
      handle: async (request) =>
        succeed(
          await operations.pausePool(idOf(request)),
          ({ pool, clients }) => `Pool ${pool} paused with ${counted(clients, 'client')}`,
        ),
    },
    {
      method: 'POST',
      url: '/pools/:id/resume',
      role: 'change',
      summary: 'Ends a pause.',
      params: schema.byId,
      answer: schema.poolPaused,
      handle: async (request) =>
        succeed(
          await operations.resumePool(idOf(request)),
          ({ pool, clients }) => `Pool ${pool} resumed with ${counted(clients, 'client')}`,
        ),
    },
    {
      method: 'POST',
      url: '/pools/:id/reconnect',
      role: 'change',
      summary: 'Retires the upstream connections of a pool one by one, each when its last channel has left.',
      params: schema.byId,
      answer: schema.poolReconnecting,
      handle: async (request) =>
        succeed(
          await operations.reconnectPool(idOf(request)),
          ({ pool, retiring }) => `Pool ${pool}: ${counted(retiring, 'upstream connection')} to retire`,
        ),
    },
    ...asideRoutes(overview, operations),
    {
      method: 'GET',
      url: '/workers',
      role: 'read',
      summary: 'The processes that share the port, page by page; none where Warren is one process.',
      query: schema.pageQuery,
      answer: schema.workers,
      handle: ({ query }) => pageOf('workers', workers.views(), query as PageQuery),
    },
    {
      method: 'POST',
      url: '/workers/restart',
      role: 'change',
      summary: 'Replaces the workers one by one; those that stay take the new clients meanwhile.',
      answer: schema.workersRestarting,
      handle: async () =>
        succeed(
          await workers.restart(),
          (done) => `${counted(done.workers, 'worker')} to restart, one by one`,
        ),
    },
    {
      method: 'POST',
      url: '/drain',
      role: 'change',
      summary: 'Begins the shutdown: no new clients, those that are in may finish, then the process ends.',
      answer: schema.draining,
      handle: async () =>
        succeed(
          { done: await operations.drain() },
          ({ clients, grace }) => `Draining: ${counted(clients, 'client')} with ${grace} s to finish`,
        ),
    },
    {
      method: 'POST',
      url: '/reload',
      role: 'change',
      summary: 'Reads configuration and certificates again, as SIGHUP does; 409 when any of it is refused.',
      answer: schema.reloaded,
      handle: async () => {
        const report = await reload.run()
        if (typeof report === 'string') throw new HttpError(409, report)
        const { applied, needsRestart, refused } = report
        if (refused.length > 0) throw new HttpError(409, refused.join('; '))
        const waiting =
          needsRestart.length === 0 ? '' : `; a restart is needed for ${needsRestart.join(', ')}`
        return {
          status: 'success',
          ...report,
          message: `Configuration and certificates read: ${counted(applied.length, 'changed key')} applied${waiting}`,
        }
      },
    },
    {
      method: 'GET',
      url: '/log',
      role: 'read',
      summary: 'The least severe level that is logged.',
      answer: schema.logLevel,
      handle: () => ({ level: levelsOf(logLevels).level }),
    },
    {
      method: 'PUT',
      url: '/log',
      role: 'change',
      summary: 'Changes the level from which on things are logged.',
      body: schema.levelBody,
      invalidBody: 'level must be one of error, warn, info, debug',
      answer: schema.logLevelSet,
      handle: ({ body }) => {
        const { level } = body as { level: LogLevel }
        levelsOf(logLevels).setLevel(level)
        return { status: 'success', level, message: `Log level is ${level}` }
      },
    },
  ]
  return routes.map((route) => ({ ...route, handle: translated(route.handle) }))
}

function levelsOf(logLevels: LogLevels | undefined): LogLevels {
  if (logLevels !== undefined) return logLevels
  throw new HttpError(501, 'the logger that this Warren was given has no level that can be shown or changed')
}

/** Messages that Warren had accepted and that the broker refuses. */
function asideRoutes(overview: Pick<Sight, 'aside'>, operations: Controls): Route[] {
  return [
    {
      method: 'GET',
      url: '/aside',
      role: 'read',
      summary: 'Messages that the broker has refused after Warren had accepted them, page by page.',
      query: schema.pageQuery,
      answer: schema.aside,
      handle: async ({ query }) => {
        const messages = (await overview.aside()).map((message) => ({
          ...message,
          refusedAt: new Date(message.refusedAt).toISOString(),
        }))
        return pageOf('aside', messages, query as PageQuery)
      },
    },
    {
      method: 'POST',
      url: '/aside/:id/retry',
      role: 'change',
      summary: 'Publishes such a message again, or all of them.',
      params: schema.byAsideId,
      answer: schema.asideRetried,
      handle: async (request) =>
        succeed(await operations.retryAside(idOf(request)), ({ retried, waiting, expired }) =>
          [
            retried === 1 ? '1 message is published again' : `${retried} messages are published again`,
            ...(waiting > 0 ? [`${waiting} will be at the next login of their users`] : []),
            ...(expired > 0 ? [`${expired} have expired and stay aside`] : []),
          ].join(', '),
        ),
    },
    {
      method: 'DELETE',
      url: '/aside/:id',
      role: 'change',
      summary: 'Forgets such a message, or all of them, for good.',
      params: schema.byAsideId,
      answer: schema.asideDropped,
      handle: async (request) =>
        succeed(await operations.dropAside(idOf(request)), ({ dropped }) =>
          dropped === 1 ? '1 message dropped' : `${dropped} messages dropped`,
        ),
    },
  ]
}

function limitRoutes(limits: Limits): Route[] {
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
    {
      method: 'POST',
      url: '/limit/increase',
      role: 'change',
      summary: 'Raises the limit on clients.',
      body: schema.amountBody,
      invalidBody: AMOUNT_MUST_BE_POSITIVE,
      answer: schema.limitIncreased,
      handle: (request) => {
        const { amount } = request.body as { amount: number }
        const change = changed(limits.increase(amount, authorOf(request)))
        return {
          status: 'success',
          oldLimit: change.old,
          newLimit: change.new,
          increaseAmount: amount,
          message: `Connection limit increased from ${change.old} to ${change.new}`,
        }
      },
    },
    {
      method: 'POST',
      url: '/limit/decrease',
      role: 'change',
      summary: 'Lowers the limit on clients.',
      body: schema.amountBody,
      invalidBody: AMOUNT_MUST_BE_POSITIVE,
      answer: schema.limitDecreased,
      handle: (request) => {
        const { amount } = request.body as { amount: number }
        const change = changed(limits.decrease(amount, authorOf(request)))
        return {
          status: 'success',
          oldLimit: change.old,
          newLimit: change.new,
          decreaseAmount: amount,
          message: `Connection limit decreased from ${change.old} to ${change.new}`,
        }
      },
    },
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

/** The answer in the names that JSON has here. */
function translated(handle: Route['handle']): Route['handle'] {
  return async (request, reply) => {
    const answer = await handle(request, reply)
    return typeof answer === 'string' ? answer : snakeCase(answer)
  }
}

function idOf({ params }: FastifyRequest): string {
  return (params as { id: string }).id
}

/** warrenctl says that it's warrenctl. */
function authorOf({ headers }: FastifyRequest): LimitAuthor {
  return headers['x-warren-client'] === 'cli' ? 'cli' : 'http'
}

function changed(outcome: LimitChange | LimitRefusal): LimitChange {
  if (isRefusal(outcome)) throw new HttpError(outcome.kind === 'invalid' ? 400 : 409, outcome.reason)
  return outcome
}

/** `1 client`, `2 clients`. */
function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function succeed<Done extends object>(outcome: Outcome<Done>, message: (done: Done) => string): object {
  if ('refused' in outcome) throw new HttpError(outcome.refused === 'unknown' ? 404 : 409, outcome.reason)
  return { status: 'success', ...outcome.done, message: message(outcome.done) }
}

/** What concerns the program as a whole: its processes, its end, its configuration, its log. */
import type { LogLevels } from '../../../application/ports/log-levels.js'
import type { Controls, Reloading, Workers } from '../../../application/ports/management.js'
import type { LogLevel } from '../../../application/settings.js'
import { HttpError } from '../http-error.js'
import * as schema from '../schemas.js'
import { type Route, counted, listRoute, succeed } from './route.js'

/** What these routes ask, and change. */
export interface ProcessUseCases {
  readonly operations: Controls
  readonly reload: Reloading
  /** Undefined where the logger is another program's, and has none. */
  readonly logLevels: LogLevels | undefined
  readonly workers: Workers
}

export function processRoutes({ operations, reload, logLevels, workers }: ProcessUseCases): Route[] {
  return [
    listRoute({
      name: 'workers',
      summary: 'The processes that share the port, page by page; none where Warren is one process.',
      answer: schema.workers,
      rows: () => workers.views(),
    }),
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
}

function levelsOf(logLevels: LogLevels | undefined): LogLevels {
  if (logLevels !== undefined) return logLevels
  throw new HttpError(501, 'the logger that this Warren was given has no level that can be shown or changed')
}

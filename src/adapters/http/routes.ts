/** The table of routes: what each is for, who may use it, and which use case it stands for. */
import type { Limits } from '../../application/operations/limits.js'
import type { Sight } from '../../application/ports/management.js'
import { asideRoutes } from './routes/aside-routes.js'
import { connectionRoutes } from './routes/connection-routes.js'
import { type HealthUseCases, healthRoutes } from './routes/health-routes.js'
import { limitRoutes } from './routes/limit-routes.js'
import { type ProcessUseCases, processRoutes } from './routes/process-routes.js'
import type { Route } from './routes/route.js'
import { snakeCase } from './snake-case.js'

/** What the routes translate to and from HTTP. */
export interface UseCases extends HealthUseCases, ProcessUseCases {
  readonly overview: Sight
  readonly limits: Limits
}

/** Every route but those for the page and the OpenAPI document. */
export function routesOf(use: UseCases): Route[] {
  const routes = [
    ...healthRoutes(use),
    ...limitRoutes(use.limits),
    ...connectionRoutes(use.overview, use.operations),
    ...asideRoutes(use.overview, use.operations),
    ...processRoutes(use),
  ]
  return routes.map((route) => ({ ...route, handle: translated(route.handle) }))
}

/** The answer in the names that JSON has here. */
function translated(handle: Route['handle']): Route['handle'] {
  return async (request, reply) => {
    const answer = await handle(request, reply)
    return typeof answer === 'string' ? answer : snakeCase(answer)
  }
}

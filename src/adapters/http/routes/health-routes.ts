/** How Warren is: for people, for Kubernetes and its kin, for Prometheus. */
import type { ReadinessCheck, Sight } from '../../../application/ports/management.js'
import * as schema from '../schemas.js'
import type { Route } from './route.js'

/** What these routes ask. */
export interface HealthUseCases {
  readonly overview: Pick<Sight, 'stats' | 'summary'>
  readonly readiness: ReadinessCheck
  /** The metrics for Prometheus. */
  readonly metrics: { readonly contentType: string; render(): Promise<string> }
}

const alive = (): object => ({ status: 'healthy', service: 'warren' })

export function healthRoutes({ overview, readiness, metrics }: HealthUseCases): Route[] {
  return [
    {
      method: 'GET',
      url: '/health',
      role: 'public',
      summary: 'Whether Warren is alive.',
      answer: schema.health,
      handle: alive,
    },
    {
      method: 'GET',
      url: '/healthz',
      role: 'public',
      summary: 'Whether Warren is alive, for Kubernetes and its kin.',
      answer: schema.health,
      handle: alive,
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
  ]
}

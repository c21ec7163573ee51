/** Clients, upstream connections and pools: what there is, and what can be done to one of them. */
import type { Controls, Sight } from '../../../application/ports/management.js'
import * as schema from '../schemas.js'
import { type Route, changeToOne, counted, listRoute } from './route.js'

export function connectionRoutes(
  overview: Pick<Sight, 'clients' | 'upstreams' | 'pools'>,
  operations: Controls,
): Route[] {
  return [
    listRoute({
      name: 'clients',
      summary: 'Clients, page by page.',
      answer: schema.clients,
      rows: () => overview.clients(),
    }),
    changeToOne({
      method: 'DELETE',
      url: '/clients/:id',
      summary: "Ends a client's connection with Connection.Close 320.",
      params: schema.byId,
      answer: schema.clientKilled,
      act: (id) => operations.killClient(id),
      tell: ({ client }) => `Client ${client} closed`,
    }),
    listRoute({
      name: 'upstreams',
      summary: 'Upstream connections, page by page.',
      answer: schema.upstreams,
      rows: () => overview.upstreams(),
    }),
    changeToOne({
      method: 'DELETE',
      url: '/upstreams/:id',
      summary: 'Closes an upstream connection; its clients are told with Connection.Close 320.',
      params: schema.byId,
      answer: schema.upstreamClosed,
      act: (id) => operations.closeUpstream(id),
      tell: ({ upstream, channels }) =>
        `Upstream connection ${upstream} closed with ${counted(channels, 'channel')}`,
    }),
    listRoute({
      name: 'pools',
      summary: 'Pools, page by page.',
      answer: schema.pools,
      rows: () => overview.pools(),
    }),
    changeToOne({
      method: 'POST',
      url: '/pools/:id/pause',
      summary: 'Holds new messages and channels of a pool, and lets what is in flight settle.',
      params: schema.byId,
      answer: schema.poolPaused,
      act: (id) => operations.pausePool(id),
      tell: ({ pool, clients }) => `Pool ${pool} paused with ${counted(clients, 'client')}`,
    }),
    changeToOne({
      method: 'POST',
      url: '/pools/:id/resume',
      summary: 'Ends a pause.',
      params: schema.byId,
      answer: schema.poolPaused,
      act: (id) => operations.resumePool(id),
      tell: ({ pool, clients }) => `Pool ${pool} resumed with ${counted(clients, 'client')}`,
    }),
    changeToOne({
      method: 'POST',
      url: '/pools/:id/reconnect',
      summary: 'Retires the upstream connections of a pool one by one, each when its last channel has left.',
      params: schema.byId,
      answer: schema.poolReconnecting,
      act: (id) => operations.reconnectPool(id),
      tell: ({ pool, retiring }) => `Pool ${pool}: ${counted(retiring, 'upstream connection')} to retire`,
    }),
  ]
}

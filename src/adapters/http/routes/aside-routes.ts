/** Messages that Warren had accepted and that the broker refuses. */
import type { Controls, Sight } from '../../../application/ports/management.js'
import * as schema from '../schemas.js'
import { type Route, changeToOne, counted, listRoute } from './route.js'

export function asideRoutes(overview: Pick<Sight, 'aside'>, operations: Controls): Route[] {
  return [
    listRoute({
      name: 'aside',
      summary: 'Messages that the broker has refused after Warren had accepted them, page by page.',
      answer: schema.aside,
      rows: async () =>
        (await overview.aside()).map((message) => ({
          ...message,
          refusedAt: new Date(message.refusedAt).toISOString(),
        })),
    }),
    changeToOne({
      method: 'POST',
      url: '/aside/:id/retry',
      summary: 'Publishes such a message again, or all of them.',
      params: schema.byAsideId,
      answer: schema.asideRetried,
      act: (id) => operations.retryAside(id),
      tell: ({ retried, waiting, expired }) =>
        [
          `${counted(retried, 'message')} ${retried === 1 ? 'is' : 'are'} published again`,
          ...(waiting > 0 ? [`${waiting} will be at the next login of their users`] : []),
          ...(expired > 0 ? [`${expired} have expired and stay aside`] : []),
        ].join(', '),
    }),
    changeToOne({
      method: 'DELETE',
      url: '/aside/:id',
      summary: 'Forgets such a message, or all of them, for good.',
      params: schema.byAsideId,
      answer: schema.asideDropped,
      act: (id) => operations.dropAside(id),
      tell: ({ dropped }) => `${counted(dropped, 'message')} dropped`,
    }),
  ]
}

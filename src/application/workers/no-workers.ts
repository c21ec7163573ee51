/** What there is to see of workers, and to do to them, where Warren is one process. */
import type { Workers } from '../ports/management.js'

/** No worker, and none that could be restarted. */
export const NO_WORKERS: Workers = {
  views: () => [],
  restart: () => ({ refused: 'conflict', reason: 'there are no workers to restart: Warren is one process' }),
}

/** The section `shutdown`: how Warren ends. */
import type { Section } from './entry.js'
import { ANY_DURATION, TIME_LIMIT, seconds } from './kinds.js'

export interface ShutdownValues {
  grace: number
  timeout: number
}

export const shutdown: Section<ShutdownValues> = {
  grace: seconds(
    5,
    ANY_DURATION,
    'How long clients may finish by themselves before they get Connection.Close.',
  ),
  timeout: seconds(30, TIME_LIMIT, 'Limit for the whole shutdown.'),
}

/** The section `log`: what is logged, and how. */
import type { LogFormat, LogLevel } from '../../../application/settings.js'
import type { Section } from './entry.js'
import { choice } from './kinds.js'

export interface LogValues {
  level: LogLevel
  format: LogFormat
}

export const log: Section<LogValues> = {
  level: choice<LogLevel>(
    'info',
    ['error', 'warn', 'info', 'debug'],
    'Least severe level that is logged.',
    'level',
  ),
  format: choice<LogFormat>(
    'auto',
    ['auto', 'json', 'text'],
    'How log lines look: JSON, text for people, or text on a terminal and JSON elsewhere (auto).',
    'format',
  ),
}

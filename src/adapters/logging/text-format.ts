/** Log lines for people: one line of text each. */
import { CONTROL_CHARACTERS } from '../../domain/control-characters.js'
import winston from 'winston'
import type { LogFields } from '../../application/ports/logger.js'
import { plain } from './json-format.js'

/** `2026-01-31T12:00:00.000Z info  message key=value …`, with the level in colour if `colours`. Errors are shown by their message alone. */
export function textFormat(colours: boolean): winston.Logform.Format {
  const colorizer = winston.format.colorize({
    colors: { error: 'red', warn: 'yellow', info: 'green', debug: 'gray' },
  })
  return winston.format.printf(({ timestamp, level, message, fields }) => {
    const padded = level.padEnd(5)
    const parts = [
      String(timestamp),
      colours ? colorizer.colorize(level, padded) : padded,
      withoutControls(String(message)),
      ...Object.entries(fields as LogFields)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name}=${shown(value)}`),
    ]
    return parts.join(' ')
  })
}

function shown(value: unknown): string {
  const text = value instanceof Error ? value.message : value
  if (typeof text === 'string' && /^[\w.:/@*+[\]-]+$/.test(text)) return text
  return withoutControls(JSON.stringify(text, plain) ?? String(text))
}

/** Clients choose some of the texts: they mustn't start a line or steer the terminal. */
function withoutControls(text: string): string {
  return text.replace(CONTROL_CHARACTERS, (run) =>
    run.replace(/[^]/g, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`),
  )
}

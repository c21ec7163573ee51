/** Log lines for machines: one JSON object each. */
import winston from 'winston'
import type { LogFields } from '../../application/ports/logger.js'

const ownNames = ['timestamp', 'level', 'message']

/** Timestamp (ISO 8601, UTC), level and message, then the fields. A field that has one of those names gets a `_` behind it. */
export function jsonFormat(): winston.Logform.Format {
  return winston.format.combine(
    winston.format((info) => {
      const { fields, ...line } = info
      for (const [name, value] of Object.entries(fields as LogFields)) {
        line[ownNames.includes(name) ? `${name}_` : name] = value
      }
      return line
    })(),
    winston.format.json({ deterministic: false, replacer: plain }),
  )
}

/** A replacer for what JSON doesn't know: errors with message and stack, big integers, and bytes, of which only the number is of interest. */
export function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return `(${value.byteLength} bytes)`
  if (!(value instanceof Error)) return value
  const { name, message, stack, cause } = value
  return { name, message, stack, ...(cause === undefined ? {} : { cause }), ...(value as object) }
}

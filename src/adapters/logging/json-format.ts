/** Log lines for machines: one JSON object each. */
import winston from 'winston'
import type { LogFields } from '../../application/ports/logger.js'

/** Where winston looks for the level, and for the finished line (triple-beam). */
const LEVEL = Symbol.for('level')
const MESSAGE = Symbol.for('message')

/** Timestamp (ISO 8601, UTC), level and message, then the fields. A field that has one of those names gets a `_` behind it. */
export function jsonFormat(): winston.Logform.Format {
  const structured = winston.format.json({ deterministic: false, replacer: plain })
  return winston.format((info) => {
    const { level, message, timestamp, [LEVEL]: severity } = info
    const line: winston.Logform.TransformableInfo = { timestamp, level, message, [LEVEL]: severity }
    let isFlat = true
    const fields = info['fields'] as LogFields
    for (const name in fields) {
      const value = fields[name]
      line[Object.hasOwn(OWN_NAMES, name) ? `${name}_` : name] = value
      isFlat &&= value === null || (typeof value !== 'object' && typeof value !== 'bigint')
    }
    // Nearly all lines, one for each session among them, which a replacer would make several times dearer.
    if (!isFlat) return structured.transform(line, structured.options)
    line[MESSAGE] = JSON.stringify(line)
    return line
  })()
}

const OWN_NAMES = { timestamp: true, level: true, message: true }

/** A replacer for what JSON doesn't know: errors with message and stack, big integers, and bytes, of which only the number is of interest. */
export function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return `(${value.byteLength} bytes)`
  if (!(value instanceof Error)) return value
  const { name, message, stack, cause } = value
  return { name, message, stack, ...(cause === undefined ? {} : { cause }), ...(value as object) }
}

/** `value` with all names as JSON has them here: `activeConnections` is `active_connections`, `isAccepting` is `accepting`. */
export function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [snakeName(name), snakeCase(inner)]))
}

/** The name as JSON has it here. */
export function snakeName(name: string): string {
  const plain = /^is[A-Z]/.test(name) ? name[2].toLowerCase() + name.slice(3) : name
  return plain.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** Figures for people. */

const groups = new Intl.NumberFormat('en')

/** `5,000`, `12.3 k`, `4.56 M`; those under 10 with one digit behind the point. */
export function count(n) {
  if (n >= 1e6) return `${(n / 1e6).toFixed(2)} M`
  if (n >= 1e5) return `${(n / 1e3).toFixed(1)} k`
  return groups.format(n >= 10 ? Math.round(n) : Math.round(n * 10) / 10)
}

/** `5,000`: each digit matters. */
export function exact(n) {
  return groups.format(n)
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** `1.5 MiB`. */
export function bytes(n) {
  let at = 0
  for (; n >= 1024 && at < UNITS.length - 1; at++) n /= 1024
  return `${at === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${UNITS[at]}`
}

/** `4.2 ms`. */
export function milliseconds(n) {
  return `${n.toFixed(n < 10 ? 1 : 0)} ms`
}

/** `12 s`, `5 min`, `2.5 h`, `3.0 d`. */
export function age(s) {
  if (s < 60) return `${Math.floor(s)} s`
  if (s < 3600) return `${Math.floor(s / 60)} min`
  return s < 86_400 ? `${(s / 3600).toFixed(1)} h` : `${(s / 86_400).toFixed(1)} d`
}

/** `55 open, 5 waiting` of an object with numbers. */
export function states(counts) {
  const named = Object.entries(counts).filter(([, n]) => n > 0)
  return named.map(([name, n]) => `${exact(n)} ${name.replaceAll('_', ' ')}`).join(', ') || 'none'
}

/** The sum of an object's numbers. */
export function sum(counts) {
  return Object.values(counts).reduce((a, b) => a + b, 0)
}

/** A number from 0 (included) to 1 (excluded), different each time: for jitter, not for secrets. */
export type Random = () => number

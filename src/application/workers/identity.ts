/** The names of things in a worker, as they're known outside: `w2-c17` is `c17` of worker 2. */

/** What `id` of worker `number` is called outside. */
export function prefixed(number: number, id: string): string {
  return `w${number}-${id}`
}

/** The worker and the name there; undefined for what isn't such a name. */
export function located(id: string): { readonly number: number; readonly id: string } | undefined {
  const [, number, inner] = /^w(\d{1,3})-(.+)$/.exec(id) ?? []
  return inner === undefined ? undefined : { number: Number(number), id: inner }
}

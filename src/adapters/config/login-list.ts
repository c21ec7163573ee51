/** What the lists of logins in the configuration have in common. */

/** Entries that are separated by commas or line ends, or stand in a list. */
export function itemsOf(given: string | readonly string[]): string[] {
  return (typeof given === 'string' ? [given] : given)
    .flatMap((text) => text.split(/[,\n]/))
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

/** Without percent-encoding; undefined where that's broken. */
export function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** Values of the configuration that may be several: one text, several in one text, or a list. */

/** One text, or several in a list or in one text. */
export type TextList = string | readonly string[]

/** Whether `value` is text, or a list of nothing else. */
export function isTextList(value: unknown): value is TextList {
  const isText = (item: unknown): boolean => typeof item === 'string'
  return isText(value) || (Array.isArray(value) && value.every(isText))
}

/** The single texts: `separator` stands between those in one, spaces around them and empty ones don't count. */
export function itemsOf(given: TextList, separator: string | RegExp): string[] {
  return (typeof given === 'string' ? [given] : given)
    .flatMap((text) => text.split(separator))
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

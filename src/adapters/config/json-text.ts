/** JSON as the configuration reads it: mistakes have a line, and a key that stands twice is one. */

/** Says in which line the text stops being usable, from 1, and why; quotes nothing but keys. */
export class JsonMistake extends Error {
  constructor(
    readonly line: number,
    reason: string,
  ) {
    super(reason)
  }
}

/** Parses `text`. Throws {@link JsonMistake}. */
export function parseJson(text: string): unknown {
  let tree: unknown
  try {
    tree = JSON.parse(text)
  } catch {
    const line = lineOfMistake(text)
    const hint = /^\s*(\/\/|\/\*|#)/.test(text.split('\n')[line - 1] ?? '') ? ': it has no comments' : ''
    throw new JsonMistake(line, `not valid JSON${hint}`)
  }
  refuseDuplicates(text)
  return tree
}

/**
 * The line, from 1, that keeps `text` from being JSON. V8 names a position for some mistakes only, so this looks for the first
 * lines that no further text could complete.
 */
function lineOfMistake(text: string): number {
  const lines = text.split('\n')
  for (let count = 1; count <= lines.length; count++) {
    const beginning = lines.slice(0, count).join('\n')
    try {
      JSON.parse(beginning)
    } catch (error) {
      const { message } = error as SyntaxError
      const position = Number(/at position (\d+)/.exec(message)?.[1] ?? NaN)
      if (position < beginning.length) return beginning.slice(0, position).split('\n').length
      if (Number.isNaN(position) && !message.includes('end of JSON input')) return count
    }
  }
  return lines.length
}

/** JSON.parse takes the last of several keys in silence. `text` is valid JSON. */
function refuseDuplicates(text: string): void {
  const open: (Set<string> | undefined)[] = []
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/gs)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token.endsWith(':')) {
      const key = JSON.parse(token.slice(0, token.lastIndexOf('"') + 1)) as string
      const keys = open.at(-1)
      if (keys?.has(key) === true)
        throw new JsonMistake(
          text.slice(0, index).split('\n').length,
          `key ${JSON.stringify(key)} stands twice`,
        )
      keys?.add(key)
    }
  }
}

/** JSON as the configuration reads it: mistakes have a line and column, and a key that stands twice is one. */

/** Says where the text stops being usable, and why; quotes nothing but keys. */
export class JsonMistake extends Error {
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number

  /** `before`: the text in front of the mistake. */
  constructor(before: string, reason: string) {
    super(reason)
    const lines = before.split('\n')
    this.line = lines.length
    this.column = lines.at(-1)!.length + 1
  }
}

/** Parses `text`. Throws {@link JsonMistake}. */
export function parseJson(text: string): unknown {
  let tree: unknown
  try {
    tree = JSON.parse(text)
  } catch {
    const at = lengthBeforeMistake(text)
    const [before, after] = [text.slice(0, at), text.slice(at)]
    // V8 sees what is wrong with the first slash only at the second character.
    const hint = /^(\/?[/*]|#)/.test(after) ? ': it has no comments' : ''
    throw new JsonMistake(before, `not valid JSON${after === '' ? ': it ends too early' : hint}`)
  }
  refuseDuplicates(text)
  return tree
}

/**
 * How much of `text` comes before what keeps it from being JSON. V8 names a position for some mistakes only, so this looks for the longest beginning
 * that further text could complete.
 */
function lengthBeforeMistake(text: string): number {
  let [complete, broken] = [0, text.length + 1]
  while (broken - complete > 1) {
    const middle = (complete + broken) >> 1
    if (canBeCompleted(text.slice(0, middle))) complete = middle
    else broken = middle
  }
  return complete
}

function canBeCompleted(beginning: string): boolean {
  try {
    JSON.parse(beginning)
    return true
  } catch (error) {
    const { message } = error as SyntaxError
    const position = /at position (\d+)/.exec(message)?.[1]
    return position === undefined
      ? message.includes('end of JSON input')
      : Number(position) >= beginning.length
  }
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
        throw new JsonMistake(text.slice(0, index), `key ${JSON.stringify(key)} stands twice`)
      keys?.add(key)
    }
  }
}

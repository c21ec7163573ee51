/** What the documents for people hold that can be checked: blocks of code, commands, links. */
import { readdirSync } from 'node:fs'
import { pathOf, textOf } from './project-files.js'

/** A block of code. */
export interface Block {
  /** `file:line` of its first line. */
  readonly at: string
  readonly language: string
  readonly text: string
  /** The file that it is said to be, by a comment before it. */
  readonly source: string | undefined
}

/** The documents, as paths from the project's root. */
export const documents: readonly string[] = [
  ...readdirSync(pathOf('.')).filter((name) => name.endsWith('.md')),
  ...readdirSync(pathOf('docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].sort()

/** The blocks of one document, in order. */
export function blocksOf(document: string): Block[] {
  const text = textOf(document)
  return [...text.matchAll(/(?:<!-- (\S+) -->\n+)?^```(\w*)\n([^]*?)^```$/gm)].map((match) => ({
    at: `${document}:${text.slice(0, match.index).split('\n').length}`,
    source: match[1],
    language: match[2],
    text: match[3],
  }))
}

/** The commands of a shell block, each as its words: without comments, variables before them, and what comes before or behind a pipe apart. */
export function commandsOf(script: string): string[][] {
  return script
    .replaceAll('\\\n', ' ')
    .split('\n')
    .flatMap((line) => line.replace(/(^|\s)#.*/, '').split(/&&|\|\||[|;]/))
    .map((command) =>
      [...command.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replace(/["']/g, '')),
    )
    .map((words) => words.slice(words.findIndex((word) => !/^[A-Z_]+=/.test(word))))
    .filter(([first]) => first !== undefined)
}

/** The name under which GitHub reaches a heading. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-')
}

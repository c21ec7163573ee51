/** What `--print-config` shows. */
import { CONTROL_CHARACTERS } from '../../domain/control-characters.js'
import type { LoadedSettings } from './load-settings.js'
import { redacted } from './redaction.js'
import { entries, valueAt } from './schema.js'

/** The effective configuration as TOML, ending with a newline: each value with its source in a comment, secrets redacted. */
export function printConfig({ values, sources }: Pick<LoadedSettings, 'values' | 'sources'>): string {
  const lines: string[] = []
  let section = ''
  // What stands outside of the sections comes first, as TOML has it.
  for (const entry of entries) {
    const [name, of] = entry.key.split('.').reverse()
    if (of !== undefined && of !== section) lines.push('', `[${(section = of)}]`)
    const value = JSON.stringify(redacted(entry, valueAt(values, entry.key)))
    lines.push(`${`${name} = ${value}`.padEnd(40)} # ${inComment(sources[entry.key])}`)
  }
  return `${lines.join('\n')}\n`
}

/** A file's name may hold what would end the comment. */
function inComment(source: string): string {
  return source.replace(CONTROL_CHARACTERS, '?')
}

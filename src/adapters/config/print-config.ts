import type { LoadedSettings } from './load-settings.js'
import { redacted } from './redaction.js'
import { type ConfigurationValue, entries } from './schema.js'

/** The effective configuration as TOML, ending with a newline: each value with its source in a comment, secrets redacted. */
export function printConfig({ values, sources }: Pick<LoadedSettings, 'values' | 'sources'>): string {
  const lines = Object.entries<Record<string, ConfigurationValue>>({ ...values }).flatMap(
    ([section, keys]) => [
      '',
      `[${section}]`,
      ...entries
        .filter(({ key }) => key.startsWith(`${section}.`))
        .map((entry) => {
          const name = entry.key.slice(section.length + 1)
          const value = JSON.stringify(redacted(entry, keys[name]))
          return `${`${name} = ${value}`.padEnd(40)} # ${inComment(sources[entry.key])}`
        }),
    ],
  )
  return `${lines.slice(1).join('\n')}\n`
}

/** A file's name may hold what would end the comment. */
function inComment(source: string): string {
  // eslint-disable-next-line no-control-regex
  return source.replace(/[\u0000-\u001f\u007f]/g, '?')
}

import type { LoadedSettings } from './load-settings.js'
import { type ConfigurationValue, entries, secretKeys } from './schema.js'
import { redactUrl, type UpstreamUrls } from './upstream-url.js'

/** The effective configuration as TOML, ending with a newline: each value with its source in a comment, secrets redacted. */
export function printConfig({ values, sources }: Pick<LoadedSettings, 'values' | 'sources'>): string {
  const lines = Object.entries<Record<string, ConfigurationValue>>({ ...values }).flatMap(
    ([section, keys]) => [
      '',
      `[${section}]`,
      ...entries
        .filter(({ key }) => key.startsWith(`${section}.`))
        .map(({ key }) => {
          const name = key.slice(section.length + 1)
          const value = keys[name]
          const hidden = secretKeys.has(key) && value !== '' ? '***' : value
          const shown = key === 'upstream.url' ? redacted(value as UpstreamUrls) : hidden
          return `${`${name} = ${JSON.stringify(shown)}`.padEnd(40)} # ${sources[key]}`
        }),
    ],
  )
  return `${lines.slice(1).join('\n')}\n`
}

function redacted(urls: UpstreamUrls): UpstreamUrls {
  return typeof urls === 'string' ? redactUrl(urls) : urls.map(redactUrl)
}

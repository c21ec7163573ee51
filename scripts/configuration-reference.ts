/** Writes docs/configuration.md from the schema: `npx tsx scripts/configuration-reference.ts`. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { entries } from '../src/adapters/config/schema.js'

/** Where the page belongs. */
export const referencePath = fileURLToPath(new URL('../docs/configuration.md', import.meta.url))

/** The whole page as it should be. */
export async function renderReference(): Promise<string> {
  const rows = entries.map(({ key, flag, env, alias, default: value, allowed, doc }) => [
    code(key),
    code(flag),
    alias === undefined ? code(env) : `${code(env)} or ${code(alias)}`,
    value === '' ? 'none' : code(String(value)),
    allowed,
    doc,
  ])
  const header = ['Key', 'Flag', 'Environment', 'Default', 'Allowed', 'What it does']
  const table = [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
  const options = await resolveConfig(referencePath)
  return format(`${introduction}\n\n${table}\n`, { ...options, filepath: referencePath })
}

const introduction = `# Configuration

<!-- Written by scripts/configuration-reference.ts from src/adapters/config/schema.ts: change it there. -->

A value is taken from the strongest source that has it:

1. a flag; the broker's URL may also be the one argument: \`warren amqp://rabbitmq:5672\`
2. an environment variable; an empty one counts as not set
3. the file
4. the default

The file is the one named by \`--config FILE\` or \`AMQP_CONFIG\`, otherwise \`./config.toml\`, otherwise \`/etc/warren/config.toml\`,
otherwise none. It is TOML, or JSON where its name ends in \`.json\`; a key such as \`pool.max_channels\` is \`max_channels\` in
the section \`pool\`:

\`\`\`toml
[upstream]
url = "amqp://rabbitmq:5672"

[pool]
max_channels = 2047
\`\`\`

A wrong value, an unknown key in the file or an unknown flag stops the start, with one line that names the key, the value, what is
allowed, and the source; so does a wrong value that a stronger source overrides. An unknown environment variable that begins
with \`AMQP_\` only gets a warning, as it may belong to another program.

\`warren --check\` validates the configuration and exits. \`warren --print-config\` prints the effective values with the source of
each, secrets redacted.

Several nodes of a cluster are separated by commas, \`amqp://a:5672,amqp://b:5672\` or, shorter, \`amqp://a,b\`; in the file they may be a
list, \`url = ["amqp://a", "amqp://b"]\`. A name with several IP addresses stands for all of them. Successive upstream connections go to
different addresses; one that can't be reached, or doesn't answer as a broker does, is avoided for 5 s, and for longer each time up to
60 s, while there are others.

Credentials, virtual host and options in \`upstream.url\` aren't used: clients bring their own, and Warren warns of them. \`amqps://\` is
TLS to the broker, see [tls.md](tls.md).

## Keys

Durations are in seconds, sizes in bytes.`

function code(text: string): string {
  return `\`${text}\``
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(referencePath, await renderReference())

/** Writes docs/configuration.md from the schema: `npx tsx scripts/configuration-reference.ts`. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { type ConfigurationEntry, entries } from '../src/adapters/config/schema.js'
import { liveKeys } from '../src/application/operations/reload.js'

/** Where the page belongs. */
export const referencePath = fileURLToPath(new URL('../docs/configuration.md', import.meta.url))

/** The whole page as it should be. */
export async function renderReference(): Promise<string> {
  const sections = [...new Set(entries.map(({ key }) => sectionOf(key)))]
  const options = await resolveConfig(referencePath)
  const page = [introduction, ...sections.map(describeSection)].join('\n\n')
  return format(`${page}\n`, { ...options, filepath: referencePath })
}

function describeSection(section: string): string {
  const keys = entries.filter(({ key }) => sectionOf(key) === section)
  // A key outside of the sections is one by itself.
  const title = keys.some(({ key }) => key === section) ? [] : [`### ${section}`]
  return [...title, ...keys.map(describeKey)].join('\n\n')
}

/** A heading to link to, what the key does, and its names and values in a line each. */
function describeKey(entry: ConfigurationEntry): string {
  const { key, flag, env, alias, allowed, doc, file } = entry
  const level = key.includes('.') ? '####' : '###'
  const names = [flag, env, ...(alias === undefined ? [] : [alias])].map(code).join(', ')
  return [
    `${level} ${key}`,
    '',
    doc,
    '',
    `- default: ${shownDefault(entry)}`,
    `- allowed: ${allowed}`,
    `- names: ${names}`,
    ...(file === undefined
      ? []
      : [`- as a file that holds it: ${[file.key, file.flag, file.env].map(code).join(', ')}`]),
    ...(liveKeys.has(key) ? ['- live'] : []),
  ].join('\n')
}

function shownDefault({ default: value, format: kind }: ConfigurationEntry): string {
  if (value === '') return 'none'
  const mebibytes = Number(value) / 2 ** 20
  return kind === 'size' && mebibytes >= 1 ? `${code(String(value))} (${mebibytes} MiB)` : code(String(value))
}

function sectionOf(key: string): string {
  return key.split('.')[0]
}

const introduction = `# Configuration

<!-- Written by scripts/configuration-reference.ts from src/adapters/config/schema: change it there. -->

A value is taken from the strongest source that has it:

1. a flag; the broker's URL may also be the one argument: \`warren amqp://rabbitmq:5672\`
2. an environment variable; an empty one counts as not set
3. the file
4. the default

The file is the one named by \`--config FILE\` or \`AMQP_CONFIG\`, otherwise \`./config.toml\`, otherwise \`/etc/warren/config.toml\`,
otherwise none. It is TOML, or JSON where its name ends in \`.json\`, in UTF-8; a key such as \`pool.max_channels\` is \`max_channels\` in
the section \`pool\`:

\`\`\`toml
[upstream]
url = "amqp://rabbitmq:5672"

[pool]
max_channels = 2047
\`\`\`

[deploy/config/warren.toml](../deploy/config/warren.toml) and [warren.json](../deploy/config/warren.json) are examples to start from.

Every key has a flag, its name with dashes: \`--pool-max-channels 2047\` or \`--pool-max-channels=2047\`. Of a flag that is given twice the last
one counts. A flag for true or false may stand alone for true. Every key has an environment variable, its name in capitals behind
\`AMQP_\`; some have a second one. File names are relative to the working directory.

Durations are in seconds, \`0.5\`, or have a unit: \`500ms\`, \`10s\`, \`5m\`, \`1h\`, \`1d\`. Sizes are in bytes or have a unit: \`64KiB\`, \`64MiB\`, \`1GiB\`, or in
powers of ten \`64kB\`, \`64MB\`, \`1GB\`. In a file a value with a unit is text: \`"64MiB"\`. In flags and variables \`true\` may also be \`yes\`, \`on\` or \`1\`,
and \`false\` \`no\`, \`off\` or \`0\`.

## What is refused

A wrong value, an unknown key in the file or an unknown flag stops the start, with one line that names the key, the value, what is
allowed, and the source, and exit code 78; so does a wrong value that a stronger source overrides. An unknown name comes with the nearest known one. Then
values are refused that don't go together:

- a management server that others can reach, without a token
- a listener with TLS without a certificate, a certificate without its key, client certificates without \`tls.ca\`
- two listeners on one port, or \`upstream.url\` naming Warren itself
- \`pool.publish_buffer_dir\` or \`pool.publish_guarantee = "confirmed"\` without a buffer (\`pool.publish_buffer_size\`)
- \`pool.max_upstream_connections\` below the number of workers
- \`client.frame_max\` above \`client.max_buffer_bytes\`, \`client.max_message_bytes\` above \`client.max_unfinished_bytes\`, that above
  \`client.max_unfinished_bytes_total\`, \`shutdown.grace\` above \`shutdown.timeout\`

An unknown environment variable that begins with \`AMQP_\` gets a warning, as it may belong to another program: Kubernetes sets
\`AMQP_PORT\` and others for a service named \`amqp\`. One that is nearly the name of a setting stops the start: it's a slip of the keyboard, and without it a
limit or a token would be missing. (A service named \`amqp-listen\` makes Kubernetes set \`AMQP_LISTEN_PORT\` itself: turn
that off with \`enableServiceLinks: false\`.)

\`warren --check\` validates the configuration, lists everything that is wrong with it, one line each, and exits. \`warren --print-config\` prints the effective values
with the source of each, secrets redacted.

On SIGHUP everything is read again, files with secrets included. A configuration that is wrong changes nothing, and the log says why. Keys that are live ([below](#keys)) are applied; the log names those
that need a restart.

## Secrets

A secret can be given as a file that holds it, as Docker and Kubernetes mount them: \`AMQP_MANAGEMENT_TOKEN_FILE=/run/secrets/token\`,
\`token_file\` in the section \`management\`, or \`--management-token-file\`. Line breaks at its end don't count; a file that is
missing, unreadable or empty stops the start. A key and its file can't both be given by one source.

Secrets are shown nowhere: not in logs, metrics, errors, answers of the management server, or \`--print-config\`. What Warren can't hide:

- others on the machine can see command lines (\`ps\`), and some an environment: prefer files
- a diagnostic report of Node.js (\`--report-on-fatalerror\` and its like) holds the command line. Warren takes the variables with secrets out of its environment at the start, so that
  they aren't in it, nor in programs that are started from it; \`/proc/PID/environ\` still shows them to root and to Warren's own user
- a heap snapshot or a core dump holds everything, passwords of clients included. Treat them as secrets, and leave \`--inspect\` and \`--heapsnapshot-signal\` off in production

## The broker

Several nodes of a cluster are separated by commas, \`amqp://a:5672,amqp://b:5672\` or, shorter, \`amqp://a,b\`; in the file they may be a
list, \`url = ["amqp://a", "amqp://b"]\`. A name with several IP addresses stands for all of them. Successive upstream connections go to
different addresses; one that can't be reached, or doesn't answer as a broker does, is avoided for 5 s, and for longer each time up to
60 s, while there are others.

Credentials, virtual host and options in \`upstream.url\` aren't used: clients bring their own, and Warren warns of them. \`amqps://\` is
TLS to the broker, see [tls.md](tls.md).

## Keys

Keys that are marked as live can be changed while Warren runs: change the file, and send SIGHUP.`

function code(text: string): string {
  return `\`${text}\``
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(referencePath, await renderReference())

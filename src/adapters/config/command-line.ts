/** The flags of `warren`: reading them, and the text of `--help`. */
import { Command, CommanderError } from 'commander'
import { ConfigurationError } from './configuration-error.js'
import { nearestName } from './nearest-name.js'
import { entries, type ConfigurationKey } from './schema.js'

/** What the program was asked to do. */
export type Action = 'run' | 'check' | 'print-config' | 'help' | 'version'

/** What the command line says; values are as they were typed. */
export interface CommandLine {
  readonly action: Action
  readonly configFile: string | undefined
  readonly upstreamArgument: string | undefined
  readonly flags: ReadonlyMap<ConfigurationKey, string>
}

/** Reads the arguments after the script's name. Throws {@link ConfigurationError} for an unknown flag, a flag without its value, or more than one argument. */
export function readCommandLine(argv: readonly string[]): CommandLine {
  const command = createCommand()
  try {
    command.parse(argv, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) throw new ConfigurationError(refusal(error, command))
    throw error
  }
  const options = command.opts<Record<string, string | true | undefined>>()
  const typed = (flag: string): string | undefined => {
    const value = options[attributeName(flag)]
    return typeof value === 'string' ? value : undefined
  }
  const actions = ['help', 'version', 'print-config', 'check'] as const
  return {
    action: actions.find((action) => options[attributeName(`--${action}`)] === true) ?? 'run',
    configFile: typed('--config'),
    upstreamArgument: command.args[0],
    flags: new Map(
      entries.flatMap(({ key, flag }) => {
        const value = typed(flag)
        return value === undefined ? [] : [[key, value] as const]
      }),
    ),
  }
}

/** The text of `--help`, which ends with a newline. */
export function helpText(): string {
  return createCommand().helpInformation()
}

function createCommand(): Command {
  const command = new Command('warren')
    .description(
      'AMQP 0-9-1 connection multiplexer for RabbitMQ: many client connections, a few upstream ones.',
    )
    .usage('[options] [amqp://host:port]')
    .argument('[url]', 'the broker: the same as --upstream-url')
    .helpOption(false)
    .option('-h, --help', 'show this help')
    .option('-V, --version', 'show the version')
    .option('--check', 'validate the configuration and exit')
    .option('--print-config', 'print the effective configuration, with the source of each value, and exit')
    .option(
      '--config <file>',
      'TOML or JSON file (default: ./config.toml, then /etc/warren/config.toml, env: AMQP_CONFIG)',
    )
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
  for (const { flag, placeholder, doc, default: value, env } of entries) {
    command.option(
      `${flag} <${placeholder}>`,
      `${doc} (default: ${value === '' ? 'none' : String(value)}, env: ${env})`,
    )
  }
  return command
}

/** Commander's sentence without what it repeats of the command line, where a password may stand. */
function refusal(error: CommanderError, command: Command): string {
  const unknown = /^error: unknown option '([^=]*)/.exec(error.message)?.[1].replace(/'$/, '')
  if (unknown === undefined) return `command line: ${error.message.replace(/^error: |\.$/g, '')}; see --help`
  const known = command.options.flatMap(({ long }) => long ?? [])
  const nearest = nearestName(unknown, known)
  return `unknown flag ${JSON.stringify(unknown).slice(1, -1)}: ${nearest === undefined ? 'see --help' : `did you mean ${nearest}?`}`
}

function attributeName(flag: string): string {
  return flag.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
}

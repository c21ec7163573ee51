/** The flags of `warren`: reading them, and the text of `--help`. */
import { Command, CommanderError, type Help } from 'commander'
import type { GivenValue } from './given-value.js'
import { nearestName } from './nearest-name.js'
import { entries } from './schema.js'

/** What the program was asked to do. */
export type Action = 'run' | 'check' | 'print-config' | 'help' | 'version'

/** What the command line says; values are as they were typed. */
export interface CommandLine {
  readonly action: Action
  readonly configFile: string | undefined
  /** The one argument, then the flags in the order of the schema. */
  readonly values: readonly GivenValue[]
  /** Unknown flags, a flag without its value, more than one argument: one line each. */
  readonly problems: readonly string[]
}

/** Reads the arguments after the script's name. */
export function readCommandLine(argv: readonly string[]): CommandLine {
  const { command, problems } = parse(argv)
  const options = command.opts<Record<string, string | true | undefined>>()
  const typed = (flag: string): string | undefined => {
    const value = options[attributeName(flag)]
    return typeof value === 'string' ? value : undefined
  }
  const url = entries.find(({ key }) => key === 'upstream.url')
  const values: GivenValue[] = []
  if (url !== undefined && command.args.length > 0)
    values.push({ entry: url, value: command.args[0], source: 'argument', isPath: false })
  for (const { entry, flag, isPath } of flags) {
    const value = typed(flag)
    if (value !== undefined) values.push({ entry, value, source: `flag ${flag}`, isPath })
  }
  const actions = ['help', 'version', 'print-config', 'check'] as const
  return {
    action: actions.find((action) => options[attributeName(`--${action}`)] === true) ?? 'run',
    configFile: typed('--config'),
    values,
    problems,
  }
}

/** The text of `--help`, which ends with a newline. */
export function helpText(): string {
  return `${createCommand().helpInformation()}${NOTES}`
}

/** Every flag with a value of the configuration. */
const flags = entries.flatMap((entry) => [
  { entry, flag: entry.flag, isPath: false },
  ...(entry.file === undefined ? [] : [{ entry, flag: entry.file.flag, isPath: true }]),
])

/** Leaves out what isn't understood, one argument after the other, so that all of it can be told at once. */
function parse(argv: readonly string[]): { command: Command; problems: string[] } {
  const problems: string[] = []
  let rest = withTrue(argv)
  let allowsMore = false
  for (;;) {
    const command = createCommand().allowExcessArguments(allowsMore)
    try {
      command.parse(rest, { from: 'user' })
      return { command, problems }
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error
      problems.push(refusal(error, command))
      if (error.code === 'commander.excessArguments') allowsMore = true
      else rest = withoutCause(error, rest)
    }
  }
}

/** A flag for true or false may stand alone for true; commander would take the argument behind it for its value. */
function withTrue(argv: readonly string[]): string[] {
  return argv.map((argument, at) => {
    const isTrueOrFalse = entries.some(({ flag, format }) => flag === argument && format === 'true_or_false')
    const next = argv[at + 1]
    const standsAlone = next === undefined || next.startsWith('-') || next.includes('://')
    return isTrueOrFalse && standsAlone ? `${argument}=true` : argument
  })
}

function withoutCause(error: CommanderError, argv: readonly string[]): string[] {
  const unknown = unknownOption(error)
  // A flag lacks its value only where nothing stands behind it.
  if (error.code === 'commander.optionMissingArgument') return argv.slice(0, -1)
  const at = unknown === undefined ? -1 : argv.indexOf(unknown)
  if (at < 0) return []
  // What stands behind an unknown flag is most likely its value.
  const hasValue = !argv[at].includes('=') && !/^-|:\/\//.test(argv[at + 1] ?? '-')
  return [...argv.slice(0, at), ...argv.slice(at + (hasValue ? 2 : 1))]
}

function unknownOption({ message }: CommanderError): string | undefined {
  return /^error: unknown option '(.*)'$/s.exec(message)?.[1]
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
    .option('--check', 'validate the configuration, list everything that is wrong with it, and exit')
    .option('--print-config', 'print the effective configuration, with the source of each value, and exit')
    .option(
      '--config <file>',
      'TOML or JSON file (default: ./config.toml, then /etc/warren/config.toml, env: AMQP_CONFIG)',
    )
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .configureHelp({ formatItem })
  for (const { entry, flag, isPath } of flags) {
    const { key, placeholder, doc, default: value, env, alias, file } = entry
    command.optionsGroup(`[${key.split('.')[0]}]`)
    if (isPath) command.option(`${flag} <path>`, `A file that holds it. (env: ${file?.env})`)
    else {
      const names = alias === undefined ? env : `${env} or ${alias}`
      command.option(
        `${flag} <${placeholder}>`,
        `${doc} (default: ${value === '' ? 'none' : String(value)}, env: ${names})`,
      )
    }
  }
  return command
}

const INDENT = 6
const WIDEST = 110

/** What a flag does below it: beside the longest flags there would be no room left on a terminal. */
function formatItem(term: string, _termWidth: number, description: string, help: Help): string {
  const width = Math.min(help.helpWidth ?? WIDEST, WIDEST) - INDENT
  return `  ${term}\n${help.boxWrap(description, width).replace(/^/gm, ' '.repeat(INDENT))}`
}

const NOTES = `
A flag is its key with dashes: pool.max_channels is --pool-max-channels. Durations are in seconds, or such as 500ms, 10s,
5m, 1h; sizes in bytes, or such as 64MiB. A flag wins over the environment, that over the file, and that over the default.
Others on the machine can see command lines: give secrets by environment or file.
`

/** Commander's sentence without what it repeats of the command line, where a password may stand. */
function refusal(error: CommanderError, command: Command): string {
  if (error.code === 'commander.excessArguments')
    return 'command line: too many arguments: the nodes of a cluster are one, amqp://a,b; see --help'
  const unknown = unknownOption(error)
  if (unknown === undefined) return `command line: ${error.message.replace(/^error: |\.$/g, '')}; see --help`
  const name = /^--[\w.-]*|^-./.exec(unknown)?.[0] ?? '-'
  const known = command.options.flatMap(({ long }) => long ?? [])
  const nearest = nearestName(name, known) ?? known.find((flag) => flag === dashed(name))
  return `unknown flag ${name}: ${nearest === undefined ? 'see --help' : `did you mean ${nearest}?`}`
}

/** As the key would be a flag. */
function dashed(name: string): string {
  return name.replace(/[._]/g, '-')
}

function attributeName(flag: string): string {
  return flag.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
}

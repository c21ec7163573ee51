/** The command line of warrenctl. */
import { Command, CommanderError } from 'commander'
import { type Json, ManagementClient, Misuse, Refusal, Unreachable } from './management-client.js'
import * as view from './views.js'

/** What the tool needs of its process. */
export interface Terminal {
  /** The arguments after the script's name. */
  readonly argv: readonly string[]
  /** Of the tool, for `--version`. */
  readonly version: string
  readonly env: Readonly<Record<string, string | undefined>>
  write(text: string): unknown
  complain(text: string): unknown
  readonly isTerminal: boolean
  /** Ends `top`; it runs until the process ends if left out. */
  readonly signal?: AbortSignal
}

const EXIT_OK = 0
/** The server said no: an unknown client, a limit below the active connections. */
const EXIT_REFUSED = 1
/** The command line is wrong (as in bash and many others). */
const EXIT_USAGE = 2
/** `health`: Warren runs, but can't serve clients. */
const EXIT_NOT_READY = 3
/** There is no server there (EX_UNAVAILABLE). */
const EXIT_UNREACHABLE = 69

const USUAL_LISTEN_PORT = 5673
const MANAGEMENT_OFFSET = 1000
const LARGEST_PORT = 65_535
const TOP_INTERVAL_MS = 2000
const LISTS: Readonly<Record<string, string>> = {
  aside: 'lists messages that the broker has refused',
  workers: 'lists the processes that share the port',
}
const CLEAR_SCREEN = '\x1b[H\x1b[2J'

interface Options {
  url?: string
  port?: string
  token?: string
  json?: boolean
}

interface PageOptions {
  search?: string
  sort?: string
  limit?: string
}

/** Runs one command; resolves with the exit code. */
export async function run(terminal: Terminal): Promise<number> {
  let code = EXIT_OK
  const program = createProgram(terminal, (chosen) => (code = chosen))
  try {
    await program.parseAsync(withoutManager(terminal.argv), { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE
    const failure = exitCodeOf(error)
    if (failure === undefined) throw error
    terminal.complain(`Error: ${(error as Error).message}\n`)
    return failure
  }
}

/** Undefined for what is a bug. */
function exitCodeOf(error: unknown): number | undefined {
  if (error instanceof Misuse) return EXIT_USAGE
  if (error instanceof Refusal) return EXIT_REFUSED
  return error instanceof Unreachable ? EXIT_UNREACHABLE : undefined
}

/** `manager 5673 status` is `status` of the Warren whose clients connect on 5673. */
function withoutManager(argv: readonly string[]): string[] {
  const at = argv.indexOf('manager')
  if (at < 0) return [...argv]
  const port = argv[at + 1] ?? ''
  if (!/^\d{1,5}$/.test(port))
    throw new Misuse('manager needs the port on which clients connect: warrenctl manager 5673 status')
  return [...argv.slice(0, at), '--port', String(Number(port) + MANAGEMENT_OFFSET), ...argv.slice(at + 2)]
}

function createProgram(terminal: Terminal, exitWith: (code: number) => void): Command {
  const program = new Command('warrenctl')
    .description('Looks at a running Warren and changes it, through its management server.')
    .version(terminal.version, '-V, --version', 'show the version')
    .option('--url <url>', 'the management server (default: http://127.0.0.1:6673, env: WARREN_URL)')
    .option('--port <port>', 'its port on 127.0.0.1 (env: WARREN_PORT, AMQP_MANAGEMENT_PORT)')
    .option('--token <token>', 'bearer token (env: WARREN_TOKEN, AMQP_MANAGEMENT_TOKEN)')
    .option('--json', 'print what the server answers, for scripts')
    .addHelpText(
      'after',
      `
warrenctl manager 5673 status asks the Warren whose clients connect on port 5673.

Exit codes: 0 done, 1 refused by Warren, 2 wrong usage, 3 not ready (health), 69 no server there.`,
    )
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.write(text),
      writeErr: (text) => terminal.complain(text),
    })
  const options = (): Options => program.opts<Options>()
  const client = (): ManagementClient => connect(options(), terminal.env)
  const show = (answer: Json, readable: string): void => {
    terminal.write(options().json === true ? `${JSON.stringify(answer)}\n` : readable)
  }
  const tell = (answer: Json): void => show(answer, `${String(answer['message'])}\n`)

  program
    .command('status')
    .description('the limit on clients, and how many there are')
    .action(async () => {
      const [limit, stats] = [await client().ask('GET', '/limit'), await client().ask('GET', '/stats')]
      show({ ...limit, ...stats }, view.statusView(limit, stats))
    })
  program
    .command('stats')
    .description('how full Warren is')
    .action(async () => {
      const stats = await client().ask('GET', '/stats')
      show(stats, view.statsView(stats))
    })
  program
    .command('health')
    .description('whether Warren is alive and ready; exit code 3 when it is not ready')
    .action(async () => {
      const health = await client().ask('GET', '/health')
      const ready = await client().ask('GET', '/readyz', undefined, [503])
      show(
        {
          ...health,
          ready: ready['status'] === 'ready',
          reasons: ready['reasons'],
          warnings: ready['warnings'],
        },
        view.healthView(health, ready),
      )
      if (ready['status'] !== 'ready') exitWith(EXIT_NOT_READY)
    })
  program
    .command('limit <n>')
    .description('sets the limit on clients; "none" lifts it')
    .action(async (n: string) => {
      if (n === 'none') return tell(await client().ask('DELETE', '/limit'))
      const wanted = positive(n, 'connection limit', ', or "none" for no limit')
      tell(await client().ask('PUT', '/limit', { limit: wanted }))
    })
  for (const direction of ['increase', 'decrease'] as const)
    program
      .command(`${direction} <n>`)
      .description(`${direction}s the limit on clients`)
      .action(async (n: string) => {
        tell(await client().ask('POST', `/limit/${direction}`, { amount: positive(n, 'amount') }))
      })
  program
    .command('history')
    .description('what the limit was changed to, when, and by which way')
    .action(async () => {
      const history = await client().ask('GET', '/limit/history')
      show(history, view.historyView(history))
    })
  for (const [name, render] of [
    ['clients', view.clientsView],
    ['upstreams', view.upstreamsView],
    ['pools', view.poolsView],
    ['aside', view.asideView],
    ['workers', view.workersView],
  ] as const)
    program
      .command(name)
      .description(LISTS[name] ?? `lists ${name}`)
      .option('--search <text>', 'only those with this text in one of their fields')
      .option('--sort <field>', 'by this field; -field downwards')
      .option('--limit <n>', 'how many (default: 100, at most 1000)')
      .action(async (page: PageOptions) => {
        const answer = await client().ask('GET', `/${name}${queryOf(page)}`)
        show(answer, render(answer))
      })
  for (const [name, what] of [
    ['pause', 'holds new messages and channels of a pool, or of "all"'],
    ['resume', 'ends a pause'],
    ['reconnect', 'retires the upstream connections of a pool, each when its last channel has left'],
  ] as const)
    program
      .command(`${name} <pool>`)
      .description(what)
      .action(async (pool: string) => {
        for (const id of await poolIds(client(), pool))
          tell(await client().ask('POST', `/pools/${encodeURIComponent(id)}/${name}`))
      })
  program
    .command('kill <id>')
    .description('closes a client (c12) or an upstream connection (u3); with workers w2-c12, w2-u3')
    .action(async (id: string) => {
      const list = /^(w\d+-)?u/.test(id) ? 'upstreams' : 'clients'
      tell(await client().ask('DELETE', `/${list}/${encodeURIComponent(id)}`))
    })
  program
    .command('retry <id>')
    .description('publishes a message again that was set aside, or "all"')
    .action(async (id: string) => tell(await client().ask('POST', `/aside/${encodeURIComponent(id)}/retry`)))
  program
    .command('drop <id>')
    .description('forgets a message that was set aside, or "all", for good')
    .action(async (id: string) => tell(await client().ask('DELETE', `/aside/${encodeURIComponent(id)}`)))
  program
    .command('drain')
    .description('ends Warren in order: no new clients, those that are in may finish')
    .action(async () => tell(await client().ask('POST', '/drain')))
  program
    .command('reload')
    .description('reads configuration and certificates again, as SIGHUP does')
    .action(async () => tell(await client().ask('POST', '/reload')))
  program
    .command('restart-workers')
    .description('replaces the workers one by one')
    .action(async () => tell(await client().ask('POST', '/workers/restart')))
  program
    .command('log-level [level]')
    .description('shows or changes the level from which on things are logged')
    .action(async (level: string | undefined) => {
      if (level !== undefined) return tell(await client().ask('PUT', '/log', { level }))
      const answer = await client().ask('GET', '/log')
      show(answer, `${String(answer['level'])}\n`)
    })
  program
    .command('top')
    .description('everything at a glance, again and again')
    .option('--once', 'only once')
    .action(async ({ once }: { once?: boolean }) =>
      top(client(), terminal, options().json === true, once === true),
    )
  return program
}

async function top(
  client: ManagementClient,
  terminal: Terminal,
  json: boolean,
  once: boolean,
): Promise<void> {
  let before: { summary: Json; at: number } | undefined
  for (;;) {
    const summary = await client.ask('GET', '/summary')
    const at = performance.now()
    const rows = 20
    const clients = await client.ask('GET', `/clients?sort=-bytes_in&limit=${rows}`)
    const seconds = before === undefined ? 0 : (at - before.at) / 1000
    if (json) terminal.write(`${JSON.stringify(summary)}\n`)
    else
      terminal.write(
        (terminal.isTerminal && !once ? CLEAR_SCREEN : '') +
          view.topView(summary, before?.summary, seconds, clients),
      )
    before = { summary, at }
    if (once || terminal.signal?.aborted === true) return
    await new Promise((resolve) => {
      setTimeout(resolve, TOP_INTERVAL_MS)
    })
  }
}

async function poolIds(client: ManagementClient, pool: string): Promise<string[]> {
  if (pool !== 'all') return [pool]
  const { pools } = await client.ask('GET', '/pools?limit=1000')
  return (pools as { id: string }[]).map(({ id }) => id)
}

function connect({ url, port, token }: Options, env: Terminal['env']): ManagementClient {
  // Kubernetes sets WARREN_PORT=tcp://… for a service of that name.
  const portByName = env['WARREN_PORT']?.startsWith('tcp:') === true ? undefined : env['WARREN_PORT']
  const chosenPort =
    port ?? portByName ?? env['AMQP_MANAGEMENT_PORT'] ?? String(USUAL_LISTEN_PORT + MANAGEMENT_OFFSET)
  if (!/^\d{1,5}$/.test(chosenPort) || Number(chosenPort) < 1 || Number(chosenPort) > LARGEST_PORT)
    throw new Misuse(`the port must be from 1 to ${LARGEST_PORT}, not ${chosenPort}`)
  const usual = `http://127.0.0.1:${chosenPort}`
  const chosenUrl = url ?? (port === undefined ? env['WARREN_URL'] : undefined) ?? usual
  const chosenToken = token ?? env['WARREN_TOKEN'] ?? env['AMQP_MANAGEMENT_TOKEN']
  return new ManagementClient(chosenUrl, chosenToken === '' ? undefined : chosenToken)
}

/** Throws {@link Misuse} for what no server would take. */
function positive(text: string, what: string, otherwise = ''): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && number > 0 && Number.isSafeInteger(number)) return number
  throw new Misuse(
    `${what} must be positive: a whole number above 0${otherwise}; not ${JSON.stringify(text)}`,
  )
}

function queryOf(page: PageOptions): string {
  const query = new URLSearchParams(Object.entries(page) as [string, string][]).toString()
  return query === '' ? '' : `?${query}`
}

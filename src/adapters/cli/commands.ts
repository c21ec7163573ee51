/** The commands of warrenctl: what each asks the management server, and shows of the answer. */
import { Command } from 'commander'
import { EXIT_NOT_READY } from './exit-codes.js'
import { type Json, type ManagementClient, Misuse } from './management-client.js'
import { type ServerOptions, connect } from './server-choice.js'
import type { Terminal } from './terminal.js'
import { top } from './top.js'
import * as view from './views.js'

interface Options extends ServerOptions {
  json?: boolean
}

/** What can be said of a list; the names are those of the query. */
interface PageOptions {
  search?: string
  sort?: string
  limit?: string
}

/** All commands with their options; `exitWith` hears of an exit code other than 0 where nothing went wrong. Parsing throws what the command throws. */
export function createCommands(terminal: Terminal, exitWith: (code: number) => void): Command {
  const program = new Command('warrenctl')
    .description('Looks at a running Warren and changes it, through its management server.')
    .version(terminal.version, '-V, --version', 'show the version')
    .option('--url <url>', 'the management server (default: http://127.0.0.1:6673, env: WARREN_URL)')
    .option(
      '--port <port>',
      'its port on 127.0.0.1 (env: WARREN_PORT, AMQP_MANAGEMENT_PORT, or AMQP_LISTEN_PORT + 1000)',
    )
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
  for (const [name, what, render] of [
    ['clients', 'lists clients', view.clientsView],
    ['upstreams', 'lists upstreams', view.upstreamsView],
    ['pools', 'lists pools', view.poolsView],
    ['aside', 'lists messages that the broker has refused', view.asideView],
    ['workers', 'lists the processes that share the port', view.workersView],
  ] as const)
    program
      .command(name)
      .description(what)
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
      top(client(), terminal, { json: options().json === true, once: once === true }),
    )
  return program
}

async function poolIds(client: ManagementClient, pool: string): Promise<string[]> {
  if (pool !== 'all') return [pool]
  const { pools } = await client.ask('GET', '/pools?limit=1000')
  return (pools as { id: string }[]).map(({ id }) => id)
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

import 'reflect-metadata'
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { expect } from 'chai'
import type { Container } from 'inversify'
import { ConfigurationError } from '../../src/adapters/config/configuration-error.js'
import { loadSettings } from '../../src/adapters/config/load-settings.js'
import { SystemClock } from '../../src/adapters/clock/system-clock.js'
import { FileJournal } from '../../src/adapters/journal/file-journal.js'
import { WinstonLogger } from '../../src/adapters/logging/winston-logger.js'
import { identifiers } from '../../src/application/identifiers.js'
import type { Proxy } from '../../src/application/proxy.js'
import { createContainer, createManagementServer } from '../../src/composition/container.js'
import { eventually } from '../support/eventually.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { publishFrames } from '../support/wire-format.js'
import { liveObjects } from '../support/live-objects.js'
import { MarkedSecrets } from '../support/marked-secrets.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { type Exit, runToExit, WarrenProcess } from '../support/warren-process.js'
import { TestAuthority, textOf } from '../support/certificates.js'
import { WireClient } from '../support/wire-client.js'

const CTL = fileURLToPath(new URL('../../dist/ctl.js', import.meta.url))
const TROUBLE = new URL('../support/troubled-process.mjs', import.meta.url).href
const USER = 'marked'
const EXIT_CONFIGURATION = 78

describe('secrets', function () {
  this.timeout(180_000)
  const secrets = new MarkedSecrets()
  const password = secrets.of('password')
  let broker: RabbitMqBroker
  let directory: string
  let authority: TestAuthority
  /** A certificate as a file, and its key as text that can be found again. */
  let server: { cert: string; key: string }
  let toBroker: { cert: string; key: string }

  before(async () => {
    authority = new TestAuthority()
    const marked = (name: string): { cert: string; key: string } => {
      const { cert, key } = authority.server()
      secrets.follow(name, textOf(key))
      return { cert, key: textOf(key) }
    }
    server = marked("the listener's key")
    toBroker = marked('the key for the broker')
    broker = await sharedBroker()
    await broker.addUser(USER, password, { vhosts: ['/'] })
    directory = mkdtempSync(join(tmpdir(), 'warren-secrets-'))
  })
  after(async () => {
    rmSync(directory, { recursive: true })
    await broker.eval(`rabbit_auth_backend_internal:delete_user(<<"${USER}">>, <<"test">>)`)
    await broker.deleteAllQueues()
  })

  const file = (name: string, text: string): string => {
    const path = join(directory, name)
    writeFileSync(path, text)
    return path
  }
  /** A message of each user, from an earlier run. */
  const leaveInJournal = (...users: string[]): void => {
    const journal = FileJournal.open(
      { directory: join(directory, 'journal'), sync: 'never' },
      { clock: new SystemClock(), logger: new RecordingLogger() },
    )
    for (const user of users)
      journal.append({ user, virtualHost: '/' }, publishFrames(1, { body: 'left' }), undefined)
    journal.close()
  }
  const upstreamUrl = (): string =>
    `amqp://upstream:${secrets.inUrl('upstream password')}@127.0.0.1:${broker.port}/?password=${secrets.inUrl('upstream option')}`

  /** TLS with everything that may be a secret in the environment. */
  const tls = (): Record<string, string> => ({
    AMQP_TLS_ENABLED: 'true',
    AMQP_TLS_PORT: '0',
    AMQP_TLS_CERT: server.cert,
    AMQP_TLS_KEY: Buffer.from(server.key).toString('base64'),
    AMQP_TLS_CA: authority.cert,
    AMQP_TLS_CLIENT_CERTIFICATES: 'optional',
    AMQP_TLS_EXTERNAL_LOGINS: `somebody=${USER}:${secrets.inUrl('password of a certificate')}`,
    AMQP_UPSTREAM_CLIENT_CERT: toBroker.cert,
    AMQP_UPSTREAM_CLIENT_KEY: toBroker.key,
  })

  /** Nothing of what was seen may hold a secret. */
  function expectNone(seen: Readonly<Record<string, string>>): void {
    for (const [what, text] of Object.entries(seen)) {
      expect(text, `${what} has something in it`).not.to.equal('')
      expect(secrets.tracesIn(text), what).to.deep.equal([])
    }
  }

  /** A client in each of the ways in which it may fail to come in, and those in which it brings a secret. */
  async function troubledClients(port: number): Promise<string[]> {
    const said: string[] = []
    const attempt = async (options: Parameters<typeof WireClient.connect>[1]): Promise<void> => {
      const outcome = await WireClient.connect(port, options).catch((error: Error) => error)
      if (outcome instanceof Error) said.push(inspect(outcome))
      else outcome.reset()
    }
    const wrong = secrets.of('wrong password')
    const attempts = ['PLAIN', 'AMQPLAIN'].flatMap((mechanism) => [
      { user: USER, password, mechanism },
      { user: USER, password: wrong, mechanism },
      { user: 'nobody', password: wrong, mechanism },
      { user: USER, password, mechanism, vhost: 'none' },
      { mechanism, response: `${USER}${wrong}` },
      { mechanism, response: `\0${USER}\0${wrong}\0` },
    ])
    const others = ['EXTERNAL', 'UNKNOWN'].map((mechanism) => ({ mechanism, response: wrong }))
    // Some are left without an answer, as RabbitMQ does.
    await Promise.all([...attempts, ...others].map(attempt))
    return said
  }

  async function updateSecret(client: WireClient, secret: string): Promise<string> {
    client.method(0, 'connection.update-secret', { secret: Buffer.from(secret), reason: 'rotation' })
    return inspect(await client.nextMethod())
  }

  /** A client that does things and stays, which then sends what RabbitMQ would close the connection for. */
  async function session(port: number): Promise<{ client: WireClient; said: string[] }> {
    const client = await WireClient.connect(port, { user: USER, password })
    await client.openChannel(1)
    await client.declareQueue(1, 'marked', { durable: true })
    client.publish(1, { routingKey: 'marked', body: 'a message' })
    const said = [await updateSecret(client, password)]
    const rude = await WireClient.connect(port, { user: USER, password })
    said.push(await updateSecret(rude, secrets.of('wrong update secret')))
    rude.reset()
    return { client, said }
  }

  describe('of a whole run, at debug level', () => {
    let warren: WarrenProcess
    let exit: Exit
    const seen: Record<string, string> = {}
    const note = (what: string, ...texts: string[]): void => {
      seen[what] = (seen[what] ?? '') + texts.join('\n')
    }

    /** Every route of the OpenAPI document, without a token, with a wrong one and with each of the right ones. */
    async function askEverything(): Promise<void> {
      const base = `http://127.0.0.1:${warren.managementPort}`
      const ask = async (method: string, path: string, token?: string, body?: string): Promise<string> => {
        const response = await fetch(`${base}${path}`, {
          method,
          headers: {
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body }),
        })
        const text = await response.text()
        note('answers', `${method} ${path.split('?')[0]} ${response.status}`, inspect(response.headers), text)
        return text
      }
      const token = secrets.of('management token')
      const document = JSON.parse(await ask('GET', '/openapi.json', token)) as {
        paths: Record<string, object>
      }
      const tokens = [undefined, secrets.of('wrong token'), secrets.of('read token'), token]
      for (const [path, methods] of Object.entries(document.paths))
        for (const method of Object.keys(methods).map((name) => name.toUpperCase())) {
          if (path === '/drain') continue
          const isChange = method !== 'GET'
          for (const one of tokens) await ask(method, path.replace('{id}', 'none'), one)
          if (isChange)
            await ask(method, path.replace('{id}', 'none'), token, `{"secret": "${secrets.of('body')}"`)
        }
      await ask('GET', `/nothing?token=${secrets.inUrl('token in a query')}`, token)
      await ask('GET', `/clients?token=${secrets.inUrl('token in a query')}`, token)
      await ask('PUT', '/limit', token, JSON.stringify({ limit: secrets.of('body') }))
    }

    function ctl(args: string[], env: NodeJS.ProcessEnv): Promise<void> {
      return new Promise((resolve) => {
        const all = { PATH: process.env['PATH'], WARREN_PORT: String(warren.managementPort), ...env }
        execFile(process.execPath, [CTL, ...args], { env: all }, (_, stdout, stderr) => {
          note('warrenctl', `${args[0]}:`, stdout, stderr)
          resolve()
        })
      })
    }

    before(async () => {
      const tokenFile = file('token', `${secrets.of('management token')}\n`)
      const configuration = (rest = ''): string =>
        file(
          'warren.toml',
          `[management]\ntoken_file = ${JSON.stringify(tokenFile)}\n[pool]\npublish_buffer_size = 1000\nreconnect_wait = 0.5\npublish_buffer_dir = ${JSON.stringify(join(directory, 'journal'))}\n${rest}`,
        )
      const env = {
        AMQP_CONFIG: configuration(),
        AMQP_UPSTREAM_URL: upstreamUrl(),
        AMQP_MANAGEMENT_READ_TOKEN: secrets.of('read token'),
        AMQP_POOL_REPLAY_LOGINS: `replayed:${secrets.inUrl('password for the journal')}`,
        AMQP_LOG_LEVEL: 'debug',
        ...tls(),
        WARREN_TEST_REPORT: join(directory, 'report.json'),
        NODE_OPTIONS: `--import ${TROUBLE}`,
      }
      leaveInJournal('replayed', 'upstream', 'unknown')
      warren = await WarrenProcess.start(undefined, [], env)

      note('what clients are told', ...(await troubledClients(warren.port)))
      const { client, said } = await session(warren.port)
      note('what clients are told', ...said)
      await askEverything()

      // The broker goes away under its clients; others come meanwhile, and one publishes into the journal.
      await broker.stopApp()
      note('what clients are told', ...(await troubledClients(warren.port)))
      client.publish(1, { routingKey: 'marked', body: 'kept', properties: { deliveryMode: 2 } })
      await client.closeChannel(1)
      await askEverything()
      note(
        'journal',
        ...readdirSync(join(directory, 'journal')).map((name) =>
          readFileSync(join(directory, 'journal', name), 'latin1'),
        ),
      )
      await broker.startApp()

      // What goes wrong with configurations, one after the other, and what goes right.
      const reloads: [change: () => unknown, then: () => number][] = [
        [
          () => file('token', secrets.of('management token') + secrets.of('second token')),
          () => warren.lines('configuration reloaded').length,
        ],
        [
          () => file('token', `${secrets.of('token with a space')} x`),
          () => warren.lines('configuration not reloaded').length,
        ],
        [
          () => file('token', secrets.of('management token')),
          () => warren.lines('configuration reloaded').length,
        ],
        [
          () => configuration(`[managment]\ntoken = "${secrets.of('wrong section')}"`),
          () => warren.lines('configuration not reloaded').length,
        ],
        [
          () => configuration(`[client]\nheartbeat = "${secrets.of('wrong value')}@"`),
          () => warren.lines('configuration not reloaded').length,
        ],
        [
          () => configuration(`password = "${secrets.of('broken TOML')}\n`),
          () => warren.lines('configuration not reloaded').length,
        ],
        [() => configuration(), () => warren.lines('configuration reloaded').length],
      ]
      for (const [change, outcomes] of reloads) {
        const before = outcomes()
        change()
        warren.signal('SIGHUP')
        await eventually(() => expect(outcomes()).to.equal(before + 1))
      }

      warren.signal('SIGWINCH')
      await eventually(() => {
        expect(warren.lines('unexpected error')).to.have.length(1)
        expect(warren.lines('unexpected rejection')).to.have.length(1)
      })
      const scraped = await fetch(`http://127.0.0.1:${warren.managementPort}/metrics`, {
        headers: { authorization: `Bearer ${secrets.of('management token')}` },
      })
      expect(await scraped.text()).to.contain('warren_unexpected_errors_total 2\n')
      note('diagnostic report', readFileSync(env.WARREN_TEST_REPORT, 'utf8'))
      note('process titles', readFileSync(`/proc/${warren.pid}/cmdline`, 'latin1'))

      const token = secrets.of('management token')
      await ctl(['status'], { WARREN_TOKEN: token })
      await ctl(['status'], { WARREN_TOKEN: secrets.of('wrong token') })
      await ctl(['status', '--tokn', secrets.of('wrong token')], {})
      await ctl(['frobnicate', '--token', secrets.of('wrong token')], {})
      const elsewhere = `http://operator:${secrets.inUrl('password for warrenctl')}@127.0.0.1:1/`
      await ctl(['status'], { WARREN_URL: elsewhere, WARREN_TOKEN: token })
      await ctl(['--url', elsewhere, 'status'], {})

      warren.signal('SIGTERM')
      exit = await warren.exited
      client.reset()
      note('standard output', exit.stdout)
      note('standard error', exit.stderr)
      note('metrics', seen['answers'].slice(seen['answers'].indexOf('GET /metrics 200')))
    })
    after(() => warren.stop())

    it('are in none of its lines', () => {
      expect(exit.stdout.split('\n').length).to.be.above(50)
      expect(warren.log.map(({ level }) => level)).to.include.members(['debug', 'info', 'warn', 'error'])
      expectNone({ 'standard output': exit.stdout })
    })

    for (const what of [
      'standard error',
      'answers',
      'metrics',
      'what clients are told',
      'warrenctl',
      'journal',
      'diagnostic report',
      'process titles',
    ])
      it(`are not in: ${what}`, () => {
        expectNone({ [what]: seen[what] })
      })

    it('were looked for where they would have been', () => {
      expect(seen['answers'])
        .to.contain('GET /openapi.json 200')
        .and.to.contain('GET /pools 200')
        .and.to.contain(USER)
      expect(seen['metrics']).to.contain('warren_clients')
      expect(seen['what clients are told']).to.contain('ACCESS_REFUSED').and.to.contain('update-secret-ok')
      expect(seen['journal']).to.contain('kept')
      const logins = warren.lines(
        'messages wait for the next login of their user: the broker refuses the one that is known',
      )
      expect(logins.map(({ user }) => user).sort()).to.deep.equal(['replayed', 'upstream'])
      expect(seen['diagnostic report']).to.contain('AMQP_LOG_LEVEL')
      expect(seen['warrenctl']).to.contain('127.0.0.1:1')
    })
  })

  describe('of a configuration', () => {
    const run = async (args: string[], env: NodeJS.ProcessEnv = {}): Promise<Exit> => {
      const exit = await runToExit(args, env)
      expectNone({ [`warren ${args[0]}`]: exit.stdout + exit.stderr })
      return exit
    }

    it('are shown neither by --print-config nor by --check, from whatever source they come', async () => {
      const configuration = file(
        'all.toml',
        `[upstream]\nurl = ["${upstreamUrl()}", "amqp://u:${secrets.inUrl('second url')}@b"]\n[management]\ntoken = "${secrets.of('token in a file')}"\n`,
      )
      const token = file('read-token', secrets.of('token of its own file'))
      const worlds: [args: string[], env: NodeJS.ProcessEnv][] = [
        [['--config', configuration, '--management-read-token-file', token], {}],
        [[upstreamUrl(), '--management-token', secrets.of('token in a flag')], {}],
        [
          [],
          {
            AMQP_UPSTREAM_URL: upstreamUrl(),
            AMQP_MANAGEMENT_TOKEN: secrets.of('token in the environment'),
            AMQP_MANAGEMENT_READ_TOKEN_FILE: token,
            AMQP_POOL_REPLAY_LOGINS: `a:${secrets.inUrl('login in the environment')}`,
            ...tls(),
          },
        ],
      ]
      for (const [args, env] of worlds) {
        expect((await run(['--print-config', ...args], env)).stdout).to.contain('token = "***"')
        expect((await run(['--check', ...args], env)).code).to.equal(0)
      }
    })

    it('are not in what is said of a wrong one', async () => {
      const token = secrets.of('wrong token')
      const url = secrets.inUrl('wrong url')
      const wrong: [args: string[], env?: NodeJS.ProcessEnv][] = [
        [[], { AMQP_MANAGEMENT_TOKEN: `${token} ${token}` }],
        [[], { AMQP_MANAGEMENT_TOKEN_FILE: file('spaces', `${token} x`) }],
        [['--management-token', token, '--management-read-token', token]],
        [[], { ...tls(), AMQP_TLS_EXTERNAL_LOGINS: `somebody=${token}` }],
        [[], { ...tls(), AMQP_TLS_EXTERNAL_LOGINS: `a=b:${url},a=b:${url}` }],
        [[], { ...tls(), AMQP_TLS_KEY: `${server.key},${toBroker.key}` }],
        [['--upstream-tls-client-key', toBroker.key]],
        [['--pool-replay-logins', `a:${url},${url}`]],
        [['--pool-replay-logins', `${url}:a,${url}:b`]],
        [[`--managment-token=${token}`]],
        [['--managment-token', token]],
        [['--management-address=0.0.0.0', `amqp://u:${url}@h`, `amqp://u:${url}@h`]],
        [['--config', file('key.toml', `[listen]\nport = "amqp://u:${url}@h"`)]],
        [['--config', file('unknown.toml', `[upstream]\npassword = "${token}"`)]],
        [['--config', file('broken.toml', `[upstream]\npassword = "${token}`)]],
        [['--config', file('broken.json', `{"upstream": {"password": "${token}", }}`)]],
        [['--config', file('twice.json', `{"log": {"level": "${token}", "level": "${token}"}}`)]],
        ...[
          `amqp://u:${url}@h:port`,
          `http://u:${url}@h`,
          `amqp://u:${url}#@h`,
          `u:${url}@h`,
          `amqp://u:${url}`,
          `amqp://u:${url}@a,amqp://v:${url}@b:0`,
        ].map((text): [string[]] => [[text]]),
        ...['LISTEN_PORT', 'LOG_LEVEL', 'POOL_IDLE_TIMEOUT', 'LISTEN_ADDRESS', 'MANAGEMENT_ENABLED'].map(
          (name): [string[], NodeJS.ProcessEnv] => [[], { [`AMQP_${name}`]: `amqp://u:${url}@h` }],
        ),
      ]
      for (const [argv, env = {}] of wrong) {
        let error: unknown
        try {
          loadSettings({ argv, env, cwd: directory })
        } catch (thrown) {
          error = thrown
        }
        expect(error).to.be.instanceOf(ConfigurationError)
        expectNone({ [argv.join(' ')]: inspect(error, { depth: Infinity, showHidden: true }) })
      }
      const [args, env] = [
        wrong.at(-6)![0],
        Object.assign({}, ...wrong.map(([, one]) => one ?? {})) as object,
      ]
      for (const action of [[], ['--check'], ['--print-config']]) {
        const { code, stderr } = await run([...action, ...args], { ...env })
        expect(code, stderr).to.equal(EXIT_CONFIGURATION)
        expect(stderr.trimEnd().split('\n')).to.have.length(action[0] === '--check' ? 9 : 1)
      }
    })

    it('are not in what is said of keys that cannot be used', async () => {
      const base64 = Buffer.from(server.key).toString('base64')
      const pem = server.key.trim().split('\n')
      const keys = {
        'base64 without its beginning': base64.slice(30),
        'base64 without its end': base64.slice(0, -60),
        'PEM with a line missing': [...pem.slice(0, 1), ...pem.slice(2)].join('\n'),
        'PEM without its last line': pem.slice(0, -1).join('\n'),
        'the key of another certificate': toBroker.key,
        'a key as the name of a file': pem[2],
      }
      for (const [what, key] of Object.entries(keys)) {
        const { code, stderr } = await run(['--check'], { ...tls(), AMQP_TLS_KEY: key })
        expect(code, what).to.equal(EXIT_CONFIGURATION)
        const lines = stderr.trimEnd().split('\n')
        const problems = lines.filter((line) => !line.startsWith('warren: warning: '))
        expect(problems, what).to.have.length(1)
        expect(problems[0], what).to.contain('tls.key')
      }
    })
  })

  describe('of the objects that live in a Warren', () => {
    let container: Container
    let stop: () => Promise<unknown>

    before(async () => {
      const { settings } = loadSettings({
        argv: ['--listen-address=127.0.0.1', '--listen-port=0', '--log-level=debug'],
        env: {
          AMQP_UPSTREAM_URL: upstreamUrl(),
          AMQP_MANAGEMENT_TOKEN: secrets.of('management token'),
          AMQP_MANAGEMENT_READ_TOKEN_FILE: file('inspected', secrets.of('read token')),
          ...tls(),
        },
        cwd: directory,
      })
      const stream = new PassThrough().resume()
      const logger = WinstonLogger.create({ level: 'debug', format: 'json', stream })
      const product = { name: 'Warren', version: '0', platform: 'test', host: hostname() }
      container = createContainer({ settings, logger, product })
      const server = await createManagementServer(container)
      const proxy = container.get<Proxy>(identifiers.Proxy)
      const { port } = (await proxy.start()).plain!
      await troubledClients(port)
      const { client } = await session(port)
      const late = await WireClient.dial(port)
      late.sendProtocolHeader()
      await late.receiveStart()
      late.startOk({ user: USER, password })
      stop = async () => {
        const done = proxy.shutDown()
        for (const one of [client, late]) one.reset()
        await server.close()
        await done
      }
    })
    after(() => stop())

    it('are seen in none of them, however deep one looks', async () => {
      const found = await liveObjects(new Set([...classesOfWarren(), 'Error']))
      for (const [name, objects] of found)
        for (const object of objects) {
          const options = { maxArrayLength: null, maxStringLength: null } as const
          expectNone({
            [name]: inspect(object, { ...options, depth: 5 }),
            [`${name}, hidden properties included`]: inspect(object, {
              ...options,
              depth: 3,
              showHidden: true,
            }),
          })
        }
      // Otherwise this looked at nothing.
      for (const name of [
        'Credentials',
        'Secret',
        'ClientSession',
        'UpstreamConnection',
        'UpstreamPool',
        'Access',
      ])
        expect(found.get(name), name).not.to.equal(undefined)
    })

    it('are in nothing that the container gives out', () => {
      for (const identifier of Object.values(identifiers))
        if (container.isBound(identifier))
          expectNone({
            [String(identifier)]: inspect(container.get(identifier), {
              depth: Infinity,
              maxArrayLength: null,
            }),
          })
    })
  })
})

/** The names of all classes in the program's files. */
function classesOfWarren(): string[] {
  const source = fileURLToPath(new URL('../../src/', import.meta.url))
  return readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => [...readFileSync(join(source, name), 'utf8').matchAll(/^(?:export )?class (\w+)/gm)])
    .map(([, name]) => name)
}

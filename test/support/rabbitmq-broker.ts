/** A private RabbitMQ node for tests: started, inspected, disturbed and removed by the test run alone. */
import { execFile, spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { findRabbitMq } from '../../scripts/rabbitmq-server.mjs'
import { eventually } from './eventually.js'
import { freePort } from './free-port.js'

export interface BrokerOptions {
  /** Lines of rabbitmq.conf, added to those of the fixture; where both set a key, these count. */
  readonly config?: string
  /** Plugins of RabbitMQ's own distribution, by name. */
  readonly plugins?: readonly string[]
  /** A second listener, with TLS: paths of PEM files. With `clients: 'required'` it takes only clients with a certificate of the CA. */
  readonly tls?: {
    readonly cert: string
    readonly key: string
    readonly ca: string
    readonly clients?: 'optional' | 'required'
  }
}

export interface BrokerConnection {
  readonly pid: string
  readonly name: string
  readonly user: string
  readonly vhost: string
  readonly channels: number
  readonly state: string
  readonly clientProperties: Readonly<Record<string, unknown>>
  readonly peerPort: number
  /** Heartbeat interval in seconds, as negotiated like the other limits; its handshake limit before. */
  readonly timeout: number
  readonly frameMax: number
  readonly channelMax: number
}

export interface BrokerChannel {
  readonly pid: string
  /** The pid of its connection. */
  readonly connection: string
  readonly number: number
  readonly user: string
  readonly vhost: string
  readonly confirm: boolean
  readonly transactional: boolean
  readonly consumers: number
  readonly unacked: number
  readonly unconfirmed: number
  readonly uncommitted: number
  readonly prefetch: number
}

export interface BrokerConsumer {
  readonly vhost: string
  readonly queue: string
  /** The pid of its channel. */
  readonly channel: string
  readonly tag: string
  readonly ackRequired: boolean
  readonly prefetch: number
}

export interface BrokerQueue {
  readonly vhost: string
  readonly name: string
  readonly messages: number
  readonly ready: number
  readonly unacked: number
  readonly consumers: number
}

interface PendingReply {
  readonly resolve: (text: string) => void
  readonly reject: (error: Error) => void
}

const START_TIMEOUT = 120_000
const STOP_TIMEOUT = 30_000
/** One scheduler pair that never spins: an idle broker must not take CPU from what the tests measure. */
const VM_FLAGS = '+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none'

/**
 * Runs inside the broker's own VM, where it survives stop_app: reads `<id> <term|json> <base64 of Erlang>` lines from
 * stdin, evaluates each in a process of its own and prints the reply. When stdin ends, the test run is gone: then it
 * removes everything that the fixture made, and the VM too.
 */
const CONTROL = String.raw`
Reply = fun(Id, Status, Text) ->
  io:put_chars(user, ["\n@reply ", Id, " ", Status, " ", base64:encode(unicode:characters_to_binary(Text)), "\n"])
end,
Evaluate = fun(Id, Format, Source) ->
  try
    {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(base64:decode(Source))),
    {ok, Expressions} = erl_parse:parse_exprs(Tokens),
    {value, Value, _} = erl_eval:exprs(Expressions, []),
    Reply(Id, "ok", case Format of "json" -> rabbit_json:encode(Value); "term" -> io_lib:format("~tp", [Value]) end)
  catch Class:Reason:Stack -> Reply(Id, "error", io_lib:format("~tp", [{Class, Reason, Stack}]))
  end
end,
Serve = fun Next() ->
  case io:get_line(user, "") of
    Line when is_list(Line) ->
      [Id, Format, Source] = string:lexemes(Line, " \n"),
      spawn(fun() -> Evaluate(Id, Format, Source) end),
      Next();
    _ ->
      os:cmd("kill @EPMD@; rm -rf '@DIRECTORY@'"),
      erlang:halt(0, [{flush, false}])
  end
end,
spawn(fun() -> Reply("0", "ok", "ready"), Serve() end).`

/** Turns RabbitMQ's rows of `{item, Value}` into what its JSON encoder takes. */
const ROWS = String.raw`
Plain = fun
  (V) when is_pid(V) -> list_to_binary(pid_to_list(V));
  ({resource, _, _, Name}) -> Name;
  ([{_, _, _} | _] = Table) -> rabbit_misc:amqp_table(Table);
  (V) when V =:= ''; V =:= none; V =:= undefined -> <<>>;
  (V) -> V
end,
Rows = fun(List) -> [maps:from_list([{K, Plain(V)} || {K, V} <- Row]) || Row <- List] end,
`

const EACH_QUEUE = '[Q || V <- rabbit_vhost:list_names(), Q <- rabbit_amqqueue:list(V)]'

let started = 0

/** One private RabbitMQ node. Nothing of it outlives `stop()`, the end of the process, or even the process being killed. */
export class RabbitMqBroker {
  private beam: ChildProcessWithoutNullStreams | undefined
  private epmd: ChildProcess | undefined
  private readonly pending = new Map<string, PendingReply>()
  private requests = 0
  private output = ''
  private readonly endAtExit = (): void => this.endNow()

  private constructor(
    private readonly sbin: string,
    /** Holds its configuration, data and logs (log/rabbit.log); removed by `stop()`. */
    readonly directory: string,
    private readonly epmdPort: number,
    private readonly distPort: number,
    /** Port of AMQP on 127.0.0.1; the same over restarts. */
    readonly port: number,
    readonly nodeName: string,
    /** Port of AMQP over TLS, where there is one. */
    readonly tlsPort: number,
  ) {}

  /** Starts a node of its own and resolves when it accepts AMQP connections. */
  static async start(options: BrokerOptions = {}): Promise<RabbitMqBroker> {
    const sbin = findRabbitMq()
    if (sbin === undefined)
      throw new Error('No rabbitmq-server found: install RabbitMQ or set RABBITMQ_SBIN.')
    const broker = new RabbitMqBroker(
      sbin,
      mkdtempSync(join(tmpdir(), 'warren-rabbitmq-')),
      await freePort(),
      await freePort(),
      await freePort(),
      `warren-${process.pid}-${++started}@localhost`,
      await freePort(),
    )
    process.once('exit', broker.endAtExit)
    try {
      broker.writeFiles(options)
      await broker.startEpmd()
      await broker.startNode()
    } catch (error) {
      await broker.stop()
      throw error
    }
    return broker
  }

  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${this.port}`
  }

  /** Process id of the Erlang VM; undefined while there is none. */
  get pid(): number | undefined {
    return this.beam?.pid
  }

  /** Process ids of all that the fixture has running: the Erlang VM and its epmd. */
  get pids(): number[] {
    return [this.beam?.pid, this.epmd?.pid].filter((pid) => pid !== undefined)
  }

  /** Runs rabbitmqctl against this node; a second or more per call, so prefer the other methods. */
  async ctl(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(
      join(this.sbin, 'rabbitmqctl'),
      ['--quiet', '--node', this.nodeName, ...args],
      { env: this.environment() },
    )
    return stdout
  }

  /** Evaluates an Erlang expression in the broker and resolves with the printed result; takes milliseconds. */
  eval(expression: string): Promise<string> {
    return this.request('term', expression)
  }

  /** Evaluates an Erlang expression whose value RabbitMQ's JSON encoder takes. */
  async query<T>(expression: string): Promise<T> {
    return JSON.parse(await this.request('json', expression)) as T
  }

  /** Compiles an Erlang module in the broker, where it stays until the node is restarted. */
  async loadModule(name: string, source: string): Promise<void> {
    const file = join(this.directory, `${name}.erl`)
    writeFileSync(file, source)
    await this.eval(
      `{ok, M, Beam} = compile:file("${file}", [binary]), {module, M} = code:load_binary(M, "${file}", Beam)`,
    )
  }

  /** Removes a vhost with all that is in it; connections to it are closed. */
  async deleteVhost(name: string): Promise<void> {
    await this.eval(`rabbit_vhost:delete(${binary(name)}, <<"test">>)`)
  }

  /** The connections as they are at this moment, from their protocol header on; what isn't known yet is '' or 0. */
  async connections(): Promise<BrokerConnection[]> {
    type Row = BrokerConnection & {
      client_properties: unknown
      peer_port: number
      frame_max: number
      channel_max: number
    }
    const items =
      'pid,name,user,vhost,channels,state,client_properties,peer_port,timeout,frame_max,channel_max'
    const rows = await this.rows<Row>(`rabbit_networking:connection_info_all([${items}])`)
    return rows.map(({ client_properties, peer_port, frame_max, channel_max, ...row }) => ({
      ...row,
      channels: Number(row.channels) || 0,
      clientProperties: Array.isArray(client_properties)
        ? {}
        : (client_properties as Record<string, unknown>),
      peerPort: peer_port,
      frameMax: Number(frame_max) || 0,
      channelMax: Number(channel_max) || 0,
    }))
  }

  /** The connections on which Warrens carry clients: not those on which they only ask who the broker is, or try a login. */
  async upstreams(): Promise<BrokerConnection[]> {
    const all = await this.connections()
    return all.filter(
      ({ clientProperties, vhost, state }) =>
        clientProperties['product'] === 'Warren' && vhost !== '' && !state.startsWith('clos'),
    )
  }

  /** The pids of those that carry a channel. One that carries none is closed sooner or later. */
  async carriers(): Promise<string[]> {
    return (await this.upstreams()).filter(({ channels }) => channels > 0).map(({ pid }) => pid)
  }

  /** Resolves when nobody is connected any more: those whose process was killed are noticed a moment later. */
  quiet(): Promise<void> {
    return eventually(async () => {
      const left = await this.connections()
      if (left.length > 0) throw new Error(`Still connected: ${left.map(({ name }) => name).join(', ')}.`)
    })
  }

  /** How many connections it has opened since it started, those that are gone included. */
  async connectionsOpened(): Promise<number> {
    return Number(await this.eval('element(2, hd(ets:lookup(connection_churn_metrics, node())))'))
  }

  async channels(): Promise<BrokerChannel[]> {
    const items =
      'pid,connection,number,user,vhost,confirm,transactional,' +
      'consumer_count,messages_unacknowledged,messages_unconfirmed,messages_uncommitted,prefetch_count'
    type Row = BrokerChannel & Record<string, number>
    const rows = await this.rows<Row>(`rabbit_channel:info_all([${items}])`)
    return rows.map(({ pid, connection, number, user, vhost, confirm, transactional, ...row }) => ({
      ...{ pid, connection, number, user, vhost, confirm, transactional },
      consumers: row.consumer_count,
      unacked: row.messages_unacknowledged,
      unconfirmed: row.messages_unconfirmed,
      uncommitted: row.messages_uncommitted,
      prefetch: row.prefetch_count,
    }))
  }

  async consumers(): Promise<BrokerConsumer[]> {
    type Row = Record<'vhost' | 'queue_name' | 'channel_pid' | 'consumer_tag', string> & {
      ack_required: boolean
      prefetch_count: number
    }
    const rows = await this.rows<Row>(
      '[[{vhost, V} | Row] || V <- rabbit_vhost:list_names(), Row <- rabbit_amqqueue:consumers_all(V)]',
    )
    return rows.map((row) => ({
      vhost: row.vhost,
      queue: row.queue_name,
      channel: row.channel_pid,
      tag: row.consumer_tag,
      ackRequired: row.ack_required,
      prefetch: row.prefetch_count,
    }))
  }

  async queues(): Promise<BrokerQueue[]> {
    type Row = BrokerQueue & { messages_ready: number; messages_unacknowledged: number }
    const items = 'name,messages,messages_ready,messages_unacknowledged,consumers'
    const rows = await this.rows<Row>(
      `[[{vhost, V} | Row] || V <- rabbit_vhost:list_names(), Row <- rabbit_amqqueue:info_all(V, [${items}])]`,
    )
    return rows.map(({ messages_ready, messages_unacknowledged, ...row }) => ({
      ...row,
      ready: messages_ready,
      unacked: messages_unacknowledged,
    }))
  }

  /** Removes the ready messages of every queue of every vhost. */
  async purgeAll(): Promise<void> {
    await this.eval(`[rabbit_amqqueue:purge(Q) || Q <- ${EACH_QUEUE}]`)
  }

  /** Deletes every queue; one that goes by itself meanwhile is as good. */
  async deleteAllQueues(): Promise<void> {
    await this.eval(`[catch rabbit_amqqueue:delete(Q, false, false, <<"test">>) || Q <- ${EACH_QUEUE}]`)
  }

  /** Adds a vhost in which guest may do everything. */
  async addVhost(name: string): Promise<void> {
    await this.eval(`ok = rabbit_vhost:add(${binary(name)}, <<"test">>)`)
    await this.allow('guest', name)
  }

  /** Adds a user who may do everything in the given vhosts, by default in none. */
  async addUser(user: string, password: string, options: { vhosts?: readonly string[] } = {}): Promise<void> {
    const add = `rabbit_auth_backend_internal:add_user(${binary(user)}, ${binary(password)}, <<"test">>)`
    await this.eval(`ok = ${add}`)
    for (const vhost of options.vhosts ?? []) await this.allow(user, vhost)
  }

  /** Lets a user configure, write and read what a regular expression matches in a vhost, by default everything. */
  async allow(user: string, vhost: string, what = '.*'): Promise<void> {
    const permissions = Array(3).fill(binary(what)).join(', ')
    await this.eval(
      `rabbit_auth_backend_internal:set_permissions(${binary(user)}, ${binary(vhost)}, ${permissions}, <<"test">>)`,
    )
  }

  /** As `rabbitmqctl stop_app`: clients are closed, the port is shut, the Erlang VM stays. */
  async stopApp(): Promise<void> {
    await this.eval('rabbit:stop()')
  }

  async startApp(): Promise<void> {
    await this.eval('rabbit:start()')
    await accepting(this.port)
  }

  /** As `rabbitmqctl close_connection`, but the pid is one from `connections()`, which rabbitmqctl doesn't take. */
  async closeConnection(pid: string, reason: string): Promise<void> {
    await this.eval(`rabbit_networking:close_connection(list_to_pid("${pid}"), ${binary(reason)})`)
  }

  async closeAllConnections(reason: string): Promise<void> {
    await this.eval(
      `[rabbit_networking:close_connection(P, ${binary(reason)}) || P <- rabbit_networking:connections()]`,
    )
  }

  /** Ends the Erlang VM with SIGKILL, as a crash of the host would; `restart()` brings it back. */
  async kill(): Promise<void> {
    await this.endNode('SIGKILL')
  }

  /** Stops the node if it runs, and starts it again with the same port and data. */
  async restart(): Promise<void> {
    await this.endNode('SIGTERM')
    await this.startNode()
  }

  /** Seconds of CPU, user and system, that the Erlang VM has used since its start. */
  cpuTime(): number {
    if (this.beam === undefined) throw new Error('The broker is not running.')
    const stat = readFileSync(`/proc/${this.beam.pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  }

  /** Ends the node and its epmd, and removes their directory. May be called again. */
  async stop(): Promise<void> {
    await this.endNode('SIGTERM')
    if (this.epmd !== undefined) {
      const gone = once(this.epmd, 'exit')
      if (this.epmd.kill('SIGKILL')) await gone
      this.epmd = undefined
    }
    rmSync(this.directory, { recursive: true, force: true })
    process.off('exit', this.endAtExit)
  }

  private endNow(): void {
    this.beam?.kill('SIGKILL')
    this.epmd?.kill('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }

  private writeFiles({ config = '', plugins = [], tls }: BrokerOptions): void {
    writeFileSync(join(this.directory, '.erlang.cookie'), randomBytes(16).toString('hex'), { mode: 0o400 })
    writeFileSync(join(this.directory, 'enabled_plugins'), `[${plugins.join(', ')}].\n`)
    writeFileSync(
      join(this.directory, 'rabbitmq.conf'),
      `listeners.tcp.1 = 127.0.0.1:${this.port}
log.console = false
log.file.level = warning
disk_free_limit.absolute = 1MB
${tls === undefined ? '' : this.tlsConfig(tls)}
${config}
`,
    )
    const home = join(this.directory, 'home')
    mkdirSync(join(home, 'plugins'), { recursive: true })
    symlinkSync(this.sbin, join(home, 'sbin'))
    symlinkSync(join(this.sbin, '../escript'), join(home, 'escript'))
    const applications = join(this.sbin, '../plugins')
    for (const name of neededApplications(applications, plugins))
      symlinkSync(join(applications, name), join(home, 'plugins', name))
  }

  private tlsConfig({ cert, key, ca, clients }: NonNullable<BrokerOptions['tls']>): string {
    return `listeners.ssl.1 = 127.0.0.1:${this.tlsPort}
ssl_options.cacertfile = ${ca}
ssl_options.certfile = ${cert}
ssl_options.keyfile = ${key}
ssl_options.verify = ${clients === undefined ? 'verify_none' : 'verify_peer'}
ssl_options.fail_if_no_peer_cert = ${clients === 'required'}`
  }

  private async startEpmd(): Promise<void> {
    this.epmd = spawn('epmd', ['-port', String(this.epmdPort), '-address', '127.0.0.1'], {
      cwd: this.directory,
      env: this.environment(),
      stdio: 'ignore',
    })
    await once(this.epmd, 'spawn')
    await accepting(this.epmdPort)
  }

  private async startNode(): Promise<void> {
    const control = CONTROL.replace('@EPMD@', String(this.epmd?.pid)).replace('@DIRECTORY@', this.directory)
    const loopback = ['-start_epmd', 'false', '-kernel', 'inet_dist_use_interface', '{127,0,0,1}']
    this.output = ''
    const beam = spawn(join(this.sbin, 'rabbitmq-server'), ['-noshell', ...loopback, '-eval', control], {
      cwd: this.directory,
      env: this.environment(),
      stdio: 'pipe',
    })
    this.beam = beam
    const ready = new Promise<string>((resolve, reject) => this.pending.set('0', { resolve, reject }))
    const limit = setTimeout(
      () => this.failPending(`did not start in ${START_TIMEOUT / 1000} s`),
      START_TIMEOUT,
    )
    beam.on('error', (error) => this.failPending(`could not be started: ${error.message}`))
    beam.on('exit', (code, signal) => {
      if (this.beam === beam) this.beam = undefined
      this.failPending(`ended with ${signal ?? code}`)
    })
    beam.stdin.on('error', () => undefined)
    beam.stderr.on('data', (chunk: Buffer) => (this.output = (this.output + chunk.toString()).slice(-4000)))
    this.readReplies(beam)
    try {
      await ready
    } finally {
      clearTimeout(limit)
    }
    await accepting(this.port)
  }

  /** SIGTERM lets RabbitMQ stop in good order; what takes too long for that is killed. */
  private async endNode(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const beam = this.beam
    if (beam === undefined) return
    const gone = once(beam, 'exit')
    beam.kill(signal)
    const limit = setTimeout(() => beam.kill('SIGKILL'), STOP_TIMEOUT)
    await gone
    clearTimeout(limit)
    this.beam = undefined
  }

  private readReplies(beam: ChildProcessWithoutNullStreams): void {
    let rest = ''
    beam.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()!
      for (const line of lines) {
        const [marker, id, status, text = ''] = line.split(' ')
        if (marker === '@reply') this.settle(id, status, Buffer.from(text, 'base64').toString())
        else this.output = (this.output + line + '\n').slice(-4000)
      }
    })
  }

  private settle(id: string, status: string, text: string): void {
    const reply = this.pending.get(id)
    this.pending.delete(id)
    if (status === 'ok') reply?.resolve(text)
    else reply?.reject(new Error(`The broker could not evaluate this: ${text}`))
  }

  private failPending(what: string): void {
    if (this.pending.size === 0) return
    const log = join(this.directory, 'log', 'rabbit.log')
    const tail = existsSync(log) ? readFileSync(log, 'utf8').slice(-4000) : ''
    for (const { reject } of this.pending.values())
      reject(new Error(`RabbitMQ ${what}.\n${this.output}\n${tail}`))
    this.pending.clear()
  }

  private request(format: 'term' | 'json', expression: string): Promise<string> {
    const beam = this.beam
    if (beam === undefined) return Promise.reject(new Error('The broker is not running.'))
    const id = String(++this.requests)
    const source = Buffer.from(expression.trimEnd().replace(/\.?$/, '.')).toString('base64')
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject })
      beam.stdin.write(`${id} ${format} ${source}\n`)
    })
  }

  private async rows<T>(expression: string): Promise<T[]> {
    return JSON.parse(await this.request('json', `${ROWS} Rows(${expression})`)) as T[]
  }

  /** All paths of RabbitMQ lead into the own directory, so that an installed node and /etc/rabbitmq play no part. */
  private environment(): NodeJS.ProcessEnv {
    const inside = (name: string): string => join(this.directory, name)
    return {
      PATH: process.env.PATH,
      HOME: this.directory,
      LANG: 'C.UTF-8',
      ERL_CRASH_DUMP_BYTES: '0',
      ERL_EPMD_PORT: String(this.epmdPort),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_SCRIPTS_DIR: inside('home/sbin'),
      RABBITMQ_NODENAME: this.nodeName,
      RABBITMQ_DIST_PORT: String(this.distPort),
      RABBITMQ_CONF_ENV_FILE: '/dev/null',
      RABBITMQ_CONFIG_FILE: inside('rabbitmq.conf'),
      // There, RabbitMQ's container images have settings of plugins that this node doesn't know: it would not start.
      RABBITMQ_CONFIG_FILES: inside('conf.d'),
      RABBITMQ_ADVANCED_CONFIG_FILE: inside('advanced.config'),
      RABBITMQ_ENABLED_PLUGINS_FILE: inside('enabled_plugins'),
      RABBITMQ_FEATURE_FLAGS_FILE: inside('feature_flags'),
      RABBITMQ_GENERATED_CONFIG_DIR: inside('generated'),
      RABBITMQ_MNESIA_BASE: inside('data'),
      RABBITMQ_MNESIA_DIR: inside('data/node'),
      RABBITMQ_PLUGINS_EXPAND_DIR: inside('plugins-expand'),
      RABBITMQ_LOG_BASE: inside('log'),
      RABBITMQ_LOGS: inside('log/rabbit.log'),
      RABBITMQ_PID_FILE: inside('pid'),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: VM_FLAGS,
      // The start script then becomes the Erlang VM instead of waiting for it, so that the child's pid is the VM's.
      RABBITMQ_ALLOW_INPUT: 'true',
    }
  }
}

/**
 * The directories of those applications that the application `rabbit` and these plugins need. A node that finds only these on its code
 * path starts in half the time. What is packed in another form than a directory tree is taken whole.
 */
function neededApplications(directory: string, plugins: readonly string[]): string[] {
  const entries = readdirSync(directory)
  const needed = new Set<string>()
  const add = (application: string): void => {
    const entry = entries.find((name) => name.replace(/-[^-]*$/, '') === application)
    if (entry === undefined || needed.has(entry)) return
    needed.add(entry)
    const resource = readFileSync(join(directory, entry, 'ebin', `${application}.app`), 'utf8')
    const list = /\{\s*applications\s*,\s*\[([^\]]*)\]/.exec(resource)?.[1] ?? ''
    for (const name of list.split(',')) add(name.trim().replaceAll("'", ''))
  }
  const packed = entries.some((name) => name.endsWith('.ez'))
  if (!packed) for (const name of ['rabbit', ...plugins]) add(name)
  return needed.size === 0 ? entries : [...needed]
}

async function accepting(port: number): Promise<void> {
  const end = Date.now() + START_TIMEOUT
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (open) return
    if (Date.now() > end) throw new Error(`Nothing accepts connections on port ${port}.`)
    await delay(10)
  }
}

function binary(text: string): string {
  return `<<${[...Buffer.from(text)].join(',')}>>`
}

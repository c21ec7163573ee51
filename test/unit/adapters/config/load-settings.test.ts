import { inspect } from 'node:util'
import { expect } from 'chai'
import { ConfigurationError } from '../../../../src/adapters/config/configuration-error.js'
import { Credentials } from '../../../../src/domain/credentials.js'
import { Secret } from '../../../../src/domain/secret.js'
import { changedKeys, withChanges } from '../../../../src/adapters/config/changes.js'
import { loadSettings, type LoadedSettings } from '../../../../src/adapters/config/load-settings.js'

interface World {
  argv?: string[]
  env?: Record<string, string>
  /** By absolute path; the working directory is /work. */
  files?: Record<string, string>
}

function load({ argv = [], env = {}, files = {} }: World = {}): LoadedSettings {
  const readFile = (path: string): string => {
    if (path in files) return files[path]
    throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
  }
  return loadSettings({ argv, env, cwd: '/work', readFile })
}

/** The error with which loading fails. */
function failure(world: World): ConfigurationError {
  try {
    load(world)
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigurationError)
    const { message, problems } = error as ConfigurationError
    for (const line of [message, ...problems]) expect(line, 'one line').not.to.match(/[\n\r]/)
    return error as ConfigurationError
  }
  throw new Error('was not refused')
}

/** The one line with which loading fails. */
function refusal(world: World): string {
  return failure(world).message
}

const config = (text: string): World => ({ files: { '/work/config.toml': text } })

/** tls-settings.test.ts is about these. */
const WITHOUT_TLS = {
  tls: {
    enabled: false,
    port: 5671,
    certificates: [],
    ca: undefined,
    clientCertificates: 'none',
    minVersion: 'TLSv1.2',
    externalName: 'common_name',
    externalLogins: new Map(),
  },
  upstreamTls: { ca: undefined, client: undefined, serverName: undefined, skipVerify: false },
}

describe('loadSettings', () => {
  it('gives the defaults when nothing is said', () => {
    const { settings, warnings, sources, action } = load()
    expect(settings).to.deep.equal({
      listen: { address: '0.0.0.0', enabled: true, port: 5673, proxyProtocolFrom: [] },
      ...WITHOUT_TLS,
      upstream: {
        endpoints: [{ host: '127.0.0.1', port: 5672 }],
        logins: [],
        connectTimeout: 10,
        heartbeat: 0,
      },
      pool: {
        maxClientConnections: 0,
        maxUpstreamConnections: 0,
        maxChannels: 65535,
        separateRoles: true,
        idleTimeout: 5,
        cleanupInterval: 30,
        quarantineTime: 60,
        publishBufferSize: 0,
        publishBufferBytes: 256 * 1024 * 1024,
        publishBufferDir: undefined,
        publishBufferSync: 'always',
        replayLogins: [],
        reconnectWait: 10,
        publishGuarantee: 'forwarded',
      },
      client: {
        handshakeTimeout: 10,
        maxBufferBytes: 64 * 1024 * 1024,
        maxMessageBytes: 128 * 1024 * 1024,
        maxUnfinishedBytes: 256 * 1024 * 1024,
        maxUnfinishedBytesTotal: 1024 * 1024 * 1024,
        maxTableDepth: 32,
        maxPending: 10_000,
        maxPerAddress: 0,
        maxPerUser: 0,
        maxPerVhost: 0,
        channelMax: 0,
        frameMax: 0,
        heartbeat: 0,
      },
      management: {
        enabled: true,
        address: '127.0.0.1',
        port: 6673,
        token: undefined,
        readToken: undefined,
      },
      shutdown: { grace: 5, timeout: 30 },
      log: { level: 'info', format: 'auto' },
    })
    expect(warnings).to.deep.equal([])
    expect(new Set(Object.values(sources))).to.deep.equal(new Set(['default']))
    expect(action).to.equal('run')
  })

  it('puts every key where the program looks for it', () => {
    const { settings } = load({
      argv: [
        '--upstream-connect-timeout=1',
        '--upstream-heartbeat=2',
        '--pool-max-channels=3',
        '--pool-idle-timeout=4',
      ],
      env: {
        AMQP_POOL_CLEANUP_INTERVAL: '5',
        AMQP_CLIENT_HANDSHAKE_TIMEOUT: '6',
        AMQP_CLIENT_MAX_BUFFER_BYTES: '8000000',
        AMQP_CLIENT_MAX_MESSAGE_BYTES: '8',
        AMQP_CLIENT_CHANNEL_MAX: '9',
        AMQP_CLIENT_MAX_UNFINISHED_BYTES: '14',
        AMQP_CLIENT_MAX_UNFINISHED_BYTES_TOTAL: '15',
        AMQP_CLIENT_MAX_TABLE_DEPTH: '16',
        AMQP_CLIENT_MAX_PENDING: '17',
        AMQP_CLIENT_MAX_PER_ADDRESS: '18',
        AMQP_CLIENT_MAX_PER_USER: '19',
        AMQP_CLIENT_MAX_PER_VHOST: '20',
        AMQP_POOL_QUARANTINE_TIME: '21',
        AMQP_POOL_PUBLISH_BUFFER_SIZE: '22',
        AMQP_POOL_PUBLISH_BUFFER_BYTES: '23',
        AMQP_POOL_RECONNECT_WAIT: '24',
        AMQP_POOL_PUBLISH_BUFFER_DIR: '/kept',
        AMQP_POOL_PUBLISH_BUFFER_SYNC: 'never',
        AMQP_POOL_PUBLISH_GUARANTEE: 'confirmed',
        AMQP_POOL_MAX_CLIENT_CONNECTIONS: '25',
        AMQP_POOL_MAX_UPSTREAM_CONNECTIONS: '26',
        AMQP_MANAGEMENT_TOKEN: 'change-it',
        AMQP_MANAGEMENT_READ_TOKEN: 'look-at-it',
        AMQP_MANAGEMENT_PORT: '27',
        AMQP_MANAGEMENT_ADDRESS: '::1',
        AMQP_MANAGEMENT_ENABLED: 'false',
      },
      ...config(
        '[client]\nframe_max = 10000\nheartbeat = 11\n[shutdown]\ngrace = 12\ntimeout = 13\n[log]\nlevel = "debug"\nformat = "json"\n[listen]\naddress = "::1"\nport = 0\n[upstream]\nurl = "amqp://rabbit"',
      ),
    })
    expect(settings).to.deep.equal({
      listen: { address: '::1', enabled: true, port: 0, proxyProtocolFrom: [] },
      ...WITHOUT_TLS,
      upstream: {
        endpoints: [{ host: 'rabbit', port: 5672 }],
        logins: [],
        connectTimeout: 1,
        heartbeat: 2,
      },
      pool: {
        maxClientConnections: 25,
        maxUpstreamConnections: 26,
        maxChannels: 3,
        separateRoles: true,
        idleTimeout: 4,
        cleanupInterval: 5,
        quarantineTime: 21,
        publishBufferSize: 22,
        publishBufferBytes: 23,
        publishBufferDir: '/kept',
        publishBufferSync: 'never',
        replayLogins: [],
        reconnectWait: 24,
        publishGuarantee: 'confirmed',
      },
      client: {
        handshakeTimeout: 6,
        maxBufferBytes: 8_000_000,
        maxMessageBytes: 8,
        maxUnfinishedBytes: 14,
        maxUnfinishedBytesTotal: 15,
        maxTableDepth: 16,
        maxPending: 17,
        maxPerAddress: 18,
        maxPerUser: 19,
        maxPerVhost: 20,
        channelMax: 9,
        frameMax: 10000,
        heartbeat: 11,
      },
      management: {
        enabled: false,
        address: '::1',
        port: 27,
        token: new Secret('change-it'),
        readToken: new Secret('look-at-it'),
      },
      shutdown: { grace: 12, timeout: 13 },
      log: { level: 'debug', format: 'json' },
    })
  })

  describe('sources', () => {
    const file = config('[listen]\nport = 1')
    const env = { AMQP_LISTEN_PORT: '2' }
    const argv = ['--listen-port', '3']

    it('prefers a flag to the environment, that to the file, and that to the default', () => {
      const port = (world: World): unknown[] => {
        const { settings, sources } = load(world)
        return [settings.listen.port, sources['listen.port']]
      }
      expect(port({})).to.deep.equal([5673, 'default'])
      expect(port(file)).to.deep.equal([1, 'file /work/config.toml'])
      expect(port({ ...file, env })).to.deep.equal([2, 'environment AMQP_LISTEN_PORT'])
      expect(port({ ...file, env, argv })).to.deep.equal([3, 'flag --listen-port'])
    })

    it('refuses a wrong value even where a stronger source overrides it', () => {
      expect(refusal({ argv, env: { AMQP_LISTEN_PORT: 'x' } })).to.contain('environment AMQP_LISTEN_PORT')
    })

    it('takes an empty environment variable for one that is not set', () => {
      expect(load({ env: { AMQP_LISTEN_PORT: '', AMQP_CONFIG: '' } }).sources['listen.port']).to.equal(
        'default',
      )
    })

    it("takes the broker's URL as the one argument", () => {
      const { settings, sources } = load({
        argv: ['--check', 'amqp://rabbit:5700'],
        env: { AMQP_UPSTREAM_URL: 'amqp://other' },
      })
      expect(settings.upstream.endpoints).to.deep.equal([{ host: 'rabbit', port: 5700 }])
      expect(sources['upstream.url']).to.equal('argument')
    })

    it("takes several of the cluster's nodes, separated by commas from anywhere, or as a list from a file", () => {
      const expected = [
        { host: 'a', port: 5672 },
        { host: 'b', port: 5673 },
      ]
      const worlds: World[] = [
        { argv: ['amqp://a,amqp://b:5673'] },
        { argv: ['--upstream-url=amqp://a,b:5673'] },
        { env: { AMQP_UPSTREAM_URL: 'amqp://a,b:5673/' } },
        config('[upstream]\nurl = "amqp://a,b:5673"'),
        config('[upstream]\nurl = ["amqp://a", "amqp://b:5673"]'),
        {
          argv: ['--config=c.json'],
          files: { '/work/c.json': '{"upstream": {"url": ["amqp://a,b:5673"]}}' },
        },
      ]
      for (const world of worlds) expect(load(world).settings.upstream.endpoints).to.deep.equal(expected)
    })

    it('refuses the URL both as the argument and as a flag', () => {
      expect(refusal({ argv: ['amqp://a', '--upstream-url=amqp://b'] })).to.equal(
        'upstream.url is given twice, as the argument and by flag --upstream-url: use one',
      )
    })

    it('refuses a second argument', () => {
      expect(refusal({ argv: ['amqp://a', 'amqp://b'] })).to.equal(
        'command line: too many arguments: the nodes of a cluster are one, amqp://a,b; see --help',
      )
    })
  })

  describe('the file', () => {
    it('is the named one, by flag rather than by environment', () => {
      const files = {
        '/work/a.toml': 'listen.port = 1',
        '/etc/b.toml': 'listen.port = 2',
        '/work/config.toml': '!',
      }
      const source = (world: World): string => load({ ...world, files }).sources['listen.port']
      expect(source({ env: { AMQP_CONFIG: '/etc/b.toml' } })).to.equal('file /etc/b.toml')
      expect(source({ env: { AMQP_CONFIG: '/etc/b.toml' }, argv: ['--config', 'a.toml'] })).to.equal(
        'file /work/a.toml',
      )
    })

    it('is otherwise ./config.toml, then /etc/warren/config.toml', () => {
      const here = { '/work/config.toml': 'listen.port = 1' }
      const system = { '/etc/warren/config.toml': 'listen.port = 2' }
      expect(load({ files: { ...here, ...system } }).settings.listen.port).to.equal(1)
      expect(load({ files: system }).settings.listen.port).to.equal(2)
    })

    it('may be JSON', () => {
      const { settings } = load({
        argv: ['--config=/c.json'],
        files: { '/c.json': '\uFEFF{"pool": {"idle_timeout": 0.5}}' },
      })
      expect(settings.pool.idleTimeout).to.equal(0.5)
    })

    it('is refused when it was named and is missing', () => {
      expect(refusal({ argv: ['--config', 'no.toml'] })).to.equal(
        "can't read configuration file /work/no.toml (flag --config): no such file",
      )
      expect(refusal({ env: { AMQP_CONFIG: '/no.toml' } })).to.contain('(environment AMQP_CONFIG)')
    })

    it('is refused when it is there and may not be read, even a default one', () => {
      const readFile = (): string => {
        throw Object.assign(new Error(), { code: 'EACCES' })
      }
      expect(() => loadSettings({ argv: [], env: {}, cwd: '/work', readFile })).to.throw(
        ConfigurationError,
        "can't read configuration file /work/config.toml: permission denied",
      )
    })

    it('is refused as YAML where its name says that it is', () => {
      const files = { '/work/warren.yaml': 'listen:\n  port: 5673\n' }
      expect(refusal({ argv: ['--config', 'warren.yaml'], files })).to.equal(
        'configuration file /work/warren.yaml: must be TOML or JSON, not YAML',
      )
    })

    it('is refused with the place where it stops being TOML, without quoting it', () => {
      const message = refusal(config('[upstream]\nurl = "amqp://u:hunter2@h\n'))
      expect(message).to.contain('/work/config.toml, line 2, column 26: not valid TOML: control characters')
      expect(message).not.to.contain('hunter2')
    })

    const broken = {
      'a word that is no value': ['{\n"upstream": {\n"url": hunter2\n}\n}', 3, 8],
      'a missing comma': ['{\n"listen": {}\n"upstream": "hunter2"}', 3, 1],
      'a trailing comma': ['{\n"listen": {},\n}', 3, 1],
      'an open string': ['{\n"listen": "hunter2\n}', 2, 19],
      'an early end': ['{\n"listen": {\n', 3, 1, ': it ends too early'],
      'text behind the end': ['{}\n\nhunter2', 3, 1],
      'nothing at all': ['', 1, 1, ': it ends too early'],
      'no line breaks at all': ['{"listen": {"port": 5673, }, "log": {}}', 1, 27],
      'a number that is none': ['{"listen": {"port": 5673.}}', 1, 26],
      'a backslash that means nothing': ['{"upstream": {"url": "hunter\\2"}}', 1, 30],
    } as const
    for (const [mistake, [text, line, column, hint = '']] of Object.entries(broken)) {
      it(`is refused with the place where it stops being JSON: ${mistake}`, () => {
        expect(refusal({ argv: ['--config=c.json'], files: { '/work/c.json': text } })).to.equal(
          `configuration file /work/c.json, line ${line}, column ${column}: not valid JSON${hint}`,
        )
      })
    }

    it('is refused with the line of a comment in JSON', () => {
      for (const comment of ['// hunter2', '/* hunter2 */', '# hunter2'])
        expect(
          refusal({
            argv: ['--config=c.json'],
            files: { '/work/c.json': `{\n  ${comment}\n  "log": {}\n}` },
          }),
        ).to.equal('configuration file /work/c.json, line 2, column 3: not valid JSON: it has no comments')
    })

    it('is refused with the line where a key stands for the second time', () => {
      const json = (text: string): World => ({ argv: ['--config=c.json'], files: { '/work/c.json': text } })
      expect(refusal(json('{"listen": {\n"port": 1,\n"po\\u0072t" : "hunter2"}}'))).to.equal(
        'configuration file /work/c.json, line 3, column 1: key "port" stands twice',
      )
      expect(refusal(json('{"log": {}, "listen": {},\n\n"log": {}}'))).to.contain(
        'line 3, column 1: key "log"',
      )
      load(json('{"pool": {"max_channels": 1}, "upstream": {"url": ["amqp://a", "amqp://max_channels"]}}'))
      for (const text of [
        '[listen]\nport = 1\nport = 2',
        '[listen]\nport = 1\n[listen]',
        'listen.port = 1\nlisten.port = 2',
        'listen.port = 1\n\n[listen]\n',
      ])
        expect(refusal(config(text))).to.match(
          /config\.toml, line [23], column \d+: not valid TOML: .*(redefine|defined)/,
        )
    })

    it('may be empty, have a byte order mark, or line ends as on Windows', () => {
      for (const text of ['', '\n', '# nothing', '\uFEFF', '\uFEFF[listen]\r\nport = 5673\r\n'])
        expect(load(config(text)).settings.listen.port).to.equal(5673)
    })

    it('must be an object of sections', () => {
      expect(refusal({ argv: ['--config=c.json'], files: { '/work/c.json': '[1]' } })).to.contain(
        'must be an object',
      )
      expect(refusal(config('listen = "hunter2"'))).to.equal(
        'listen from file /work/config.toml: must be a section with the keys address, port, enabled, proxy_protocol_from',
      )
      expect(refusal(config('[listen.port]\nx = 1'))).to.equal(
        'listen.port from file /work/config.toml: must be a whole number from 0 to 65535, not a section',
      )
    })

    it('may have empty sections that are known', () => {
      expect(load(config('[listen]\n')).settings.listen.port).to.equal(5673)
      expect(refusal(config('[listener]\n'))).to.contain('unknown key listener')
    })
  })

  describe('unknown names', () => {
    it('refuses an unknown key, and names the nearest one but not the value', () => {
      expect(refusal(config('[pool]\nmax_chanels = "hunter2"'))).to.equal(
        'unknown key pool.max_chanels in file /work/config.toml: did you mean pool.max_channels?',
      )
      expect(refusal(config('[pol]\nmax_channels = 1'))).to.contain('did you mean pool.max_channels?')
    })

    it('refuses an unknown key that is like none', () => {
      expect(refusal(config('"a b" = 1'))).to.equal(
        'unknown key "a b" in file /work/config.toml: warren --help lists the keys as flags',
      )
    })

    it('takes no harm from keys that JavaScript knows', () => {
      for (const text of [
        '{"__proto__": {"port": 1}}',
        '{"constructor": {"prototype": {"x": 1}}}',
        '{"toString": {}}',
      ]) {
        expect(refusal({ argv: ['--config=c.json'], files: { '/work/c.json': text } })).to.contain(
          'unknown key',
        )
      }
    })

    it('refuses an unknown flag, and names the nearest one but not the value', () => {
      expect(refusal({ argv: ['--upstrem-url=amqp://u:hunter2@h'] })).to.equal(
        'unknown flag --upstrem-url: did you mean --upstream-url?',
      )
      expect(refusal({ argv: ['--listen-prt', '1'] })).to.equal(
        'unknown flag --listen-prt: did you mean --listen-port?',
      )
      expect(refusal({ argv: ['--chekc'] })).to.equal('unknown flag --chekc: did you mean --check?')
      expect(refusal({ argv: ['--frobnicate'] })).to.equal('unknown flag --frobnicate: see --help')
    })

    it('refuses a flag without its value', () => {
      expect(refusal({ argv: ['--listen-port'] })).to.equal(
        "command line: option '--listen-port <port>' argument missing; see --help",
      )
    })

    it('refuses a slip in an environment variable with our prefix, and names the nearest one but not the value', () => {
      expect(refusal({ env: { AMQP_LISTN_PORT: 'hunter2' } })).to.equal(
        'unknown environment variable AMQP_LISTN_PORT: did you mean AMQP_LISTEN_PORT?',
      )
      expect(refusal({ env: { AMQP_MANAGEMENT_TOKEN_FLE: 'hunter2' } })).to.contain(
        'did you mean AMQP_MANAGEMENT_TOKEN_FILE?',
      )
    })

    it('only warns of other variables with our prefix, which may be for another program', () => {
      const { warnings } = load({ env: { AMQP_URL: 'hunter2', HOME: '/root' } })
      expect(warnings).to.deep.equal(['environment AMQP_URL: not a setting of Warren, ignored'])
    })

    it('starts in a Kubernetes namespace with a service named amqp, or almost as one of our sections', () => {
      const env = {
        AMQP_SERVICE_HOST: '10.0.0.1',
        AMQP_SERVICE_PORT: '5672',
        AMQP_SERVICE_PORT_AMQP: '5672',
        AMQP_PORT: 'tcp://10.0.0.1:5672',
        AMQP_PORT_5672_TCP: 'tcp://10.0.0.1:5672',
        AMQP_PORT_5672_TCP_PROTO: 'tcp',
        AMQP_PORT_5672_TCP_PORT: '5672',
        AMQP_PORT_5672_TCP_ADDR: '10.0.0.1',
        AMQP_LISTENER_PORT: 'tcp://10.0.0.1:5672',
      }
      expect(load({ env }).warnings).to.have.length(Object.keys(env).length)
    })

    it('names the flag for a key that was written as in a file', () => {
      for (const flag of ['--pool.max_channels', '--pool_max_channels', '--pool.max-channels'])
        expect(refusal({ argv: [flag, '5'] })).to.equal(
          `unknown flag ${flag}: did you mean --pool-max-channels?`,
        )
    })

    it('repeats nothing of a flag that may be a secret', () => {
      expect(refusal({ argv: ['-phunter2'] })).to.equal('unknown flag -p: see --help')
      expect(refusal({ argv: ['--management-token:hunter2'] })).not.to.contain('hunter2')
      expect(refusal({ argv: ['amqp://u:hunter2@a', 'amqp://u:hunter2@b'] })).not.to.contain('hunter2')
    })
  })

  describe('values', () => {
    it('names key, value, source and what is allowed', () => {
      const allowed = 'must be a whole number from 1 to 65535'
      expect(refusal(config('[pool]\nmax_channels = 0'))).to.equal(
        `pool.max_channels = 0 from file /work/config.toml: ${allowed}`,
      )
      expect(refusal({ env: { AMQP_POOL_MAX_CHANNELS: '65536' } })).to.equal(
        `pool.max_channels = "65536" from environment AMQP_POOL_MAX_CHANNELS: ${allowed}`,
      )
      expect(refusal({ argv: ['--pool-max-channels', 'many'] })).to.equal(
        `pool.max_channels = "many" from flag --pool-max-channels: ${allowed}`,
      )
      expect(refusal({ argv: ['--log-level=loud'] })).to.equal(
        'log.level = "loud" from flag --log-level: must be one of error, warn, info, debug',
      )
    })

    const refused: Record<string, string[]> = {
      '--listen-port': ['-1', '65536', '5673x', '0x10', '1e3', '1.5', '', ' 1', 'NaN'],
      '--listen-address': ['', 'a b', '[::1]', '256.1.1.1', '10.1', '-a', 'a:5673'],
      '--upstream-connect-timeout': [
        '0',
        '-1',
        '10 seconds',
        's',
        '1e3s',
        '25d',
        '-1s',
        'Infinity',
        '2147484',
      ],
      '--upstream-heartbeat': ['0.5', '65536', '500ms', '1d'],
      '--client-frame-max': ['1', '8191', '-1', '2147483648'],
      '--client-max-message-bytes': ['0', '64M', '64k', '3GiB', '0.3B', 'MiB', '-1MiB', '1e6'],
      '--pool-max-channels': ['1KiB', '10s', '1_000', '1,000', ''],
      '--pool-separate-roles': ['maybe', '2', ''],
      '--log-format': ['JSON', 'xml'],
    }
    for (const [flag, values] of Object.entries(refused)) {
      for (const value of values) {
        it(`refuses ${flag} ${JSON.stringify(value)}`, () => {
          expect(refusal({ argv: [`${flag}=${value}`] })).to.contain(`from flag ${flag}: must be `)
        })
      }
    }

    const units: [flag: string, text: string, value: number][] = [
      ['--shutdown-timeout', '10s', 10],
      ['--shutdown-timeout', '7200ms', 7.2],
      ['--shutdown-timeout', '1.5 m', 90],
      ['--shutdown-timeout', '2min', 120],
      ['--shutdown-timeout', '1h', 3600],
      ['--shutdown-timeout', '1d', 86_400],
      ['--shutdown-timeout', '70ms', 0.07],
      ['--client-heartbeat', '1m', 60],
      ['--client-frame-max', '131072B', 131_072],
      ['--client-frame-max', '128KiB', 131_072],
      ['--client-frame-max', '128 kib', 131_072],
      ['--client-frame-max', '128kB', 128_000],
      ['--client-frame-max', '1.5MiB', 1_572_864],
      ['--client-frame-max', '2MB', 2_000_000],
      ['--pool-publish-buffer-bytes', '1TiB', 2 ** 40],
    ]
    for (const [flag, text, value] of units) {
      const [section, name] = flag.slice(2).replace('-', '.').replaceAll('-', '_').split('.')
      it(`reads ${flag} ${text} as ${value}, from all sources alike`, () => {
        const of = (world: World): unknown =>
          (load(world).values as unknown as Record<string, Record<string, unknown>>)[section][name]
        const grace = ['--shutdown-grace=0']
        expect(of({ argv: [...grace, flag, text] })).to.equal(value)
        expect(of({ argv: grace, env: { [`AMQP_${section}_${name}`.toUpperCase()]: text } })).to.equal(value)
        expect(of({ argv: grace, ...config(`[${section}]\n${name} = "${text}"`) })).to.equal(value)
      })
    }

    it('takes the usual words for true and false', () => {
      const separates = (world: World): boolean => load(world).settings.pool.separateRoles
      for (const word of ['false', 'FALSE', 'no', 'off', '0'])
        expect(separates({ env: { AMQP_POOL_SEPARATE_ROLES: word } }), word).to.equal(false)
      for (const word of ['true', 'True', 'yes', 'on', '1'])
        expect(separates({ env: { AMQP_POOL_SEPARATE_ROLES: word } }), word).to.equal(true)
    })

    it('takes a flag for a truth that stands alone for true', () => {
      const env = { AMQP_POOL_SEPARATE_ROLES: 'false' }
      for (const rest of [[], ['amqp://h'], ['--check']]) {
        const { settings } = load({ env, argv: ['--pool-separate-roles', ...rest] })
        expect(settings.pool.separateRoles).to.equal(true)
        expect(settings.upstream.endpoints[0].host).to.equal(rest[0] === 'amqp://h' ? 'h' : '127.0.0.1')
      }
      expect(
        load({ argv: ['--pool-separate-roles', 'false', 'amqp://h'] }).settings.pool.separateRoles,
      ).to.equal(false)
    })

    const accepted: Record<string, string[]> = {
      '--listen-port': ['0', '65535'],
      '--listen-address': ['::', 'localhost', 'fe80::1%eth0', 'a-b.example_1.org', '127.0.0.1'],
      '--upstream-connect-timeout': ['0.5', '0.001', '2147483'],
      '--pool-idle-timeout': ['0', '0.25'],
      '--client-frame-max': ['0', '8192', '131072'],
    }
    for (const [flag, values] of Object.entries(accepted)) {
      for (const value of values) {
        it(`accepts ${flag} ${value}`, () => {
          load({ argv: [flag, value] })
        })
      }
    }

    for (const value of ['1.5', 'true', 'nan', 'inf', '[1]', '2020-01-01', '"x"']) {
      it(`refuses listen.port = ${value} in a file`, () => {
        expect(refusal(config(`[listen]\nport = ${value}`))).to.match(
          /^listen\.port = .* from file .*: must be /,
        )
      })
    }

    it('keeps a long value, or one with line breaks, on one short line', () => {
      expect(refusal({ argv: [`--listen-address=${'a '.repeat(5000)}`] }).length).to.be.below(300)
      expect(refusal({ argv: ['--listen-address=a\nb\u001b[31m'] })).to.contain('"a\\nb\\u001b[31m"')
    })

    it('hides a password under any key', () => {
      for (const flag of ['--listen-address', '--log-level', '--upstream-heartbeat']) {
        expect(refusal({ argv: [flag, 'amqp://u:hunter2@h'] })).to.contain('"amqp://***@h"')
        expect(refusal({ argv: [flag, 'u:hunter2@h:'] })).to.contain('"***@h:')
        expect(refusal({ argv: [flag, 'amqp://u:hunter2'] })).to.contain('"amqp://u:***"')
      }
    })

    it('hides the password of an upstream URL that it refuses', () => {
      for (const url of [
        'amqp://u:hunter2#@h',
        'http://u:hunter2@h',
        'u:hunter2@h',
        'amqp://u:hunter2',
        'u:hunter2',
      ]) {
        expect(refusal({ argv: [url] })).not.to.contain('hunter2')
      }
    })

    it('names the wrong one of several addresses, and hides the passwords of all', () => {
      expect(refusal({ argv: ['amqp://u:hunter2@a,amqp://v:hunter2@b:x'] })).to.equal(
        'upstream.url = "amqp://***@a,amqp://***@b:***" from argument: address 2 ("b:***") must be amqp://host:port or amqps://host:port, the port from 1 to 65535 (5672, with TLS 5671, if left out)',
      )
      const list = (items: string): string => refusal(config(`[upstream]\nurl = [${items}]`))
      expect(list('"amqp://u:hunter2@a", "b"')).to.contain(
        'upstream.url = ["amqp://***@a", "b"] from file /work/config.toml: address 2 ("b") must be',
      )
      expect(list('')).to.contain('must name at least one address')
      for (const items of ['"amqp://a", 5672', '["amqp://u:hunter2@a"]'])
        expect(list(items)).to.match(/must be amqp:\/\/host:port or amqps:\/\/host:port, or several$/)
      expect(list('["amqp://u:hunter2@a"]')).not.to.contain('hunter2')
    })

    it('warns of the parts of the upstream URL that are not used', () => {
      expect(load({ argv: ['amqp://guest:hunter2@h/vhost?heartbeat=5'] }).warnings).to.deep.equal([
        "upstream.url from argument: Warren doesn't use its credentials (clients bring their own), nor its virtual host (clients name their own), nor its options",
      ])
      expect(load({ argv: ['amqp://h/'] }).warnings).to.deep.equal([])
    })
  })

  describe('logins for what is in the journal', () => {
    const journal = ['--pool-publish-buffer-size=10', '--pool-publish-buffer-dir=/kept']
    const logins = ({ settings }: LoadedSettings): readonly Credentials[] => settings.pool.replayLogins

    it('are users with their passwords, from a list, one text or a file of their own', () => {
      const expected = [new Credentials('shop', 'a:b,c'), new Credentials('x y', '')]
      for (const input of [
        { argv: [...journal, '--pool-replay-logins=shop:a%3Ab%2Cc, x y:'] },
        { argv: journal, ...config('[pool]\nreplay_logins = ["shop:a:b%2Cc", "x%20y:"]') },
        {
          argv: journal,
          env: { AMQP_POOL_REPLAY_LOGINS_FILE: '/run/logins' },
          files: { '/run/logins': 'shop:a%3Ab%2Cc\nx y:\n' },
        },
      ]) {
        const loaded = load(input)
        expect(loaded.warnings).to.deep.equal([])
        expect(logins(loaded).map((login, at) => login.equals(expected[at]))).to.deep.equal([true, true])
      }
    })

    it('are refused without quoting them, with the place of the wrong one', () => {
      const given = (text: string): string => refusal({ argv: [...journal, `--pool-replay-logins=${text}`] })
      const shape = 'must be USER:PASSWORD, or several, with % and the characters , : percent-encoded'
      const source = 'pool.replay_logins = *** from flag --pool-replay-logins:'
      expect(given('hunter2')).to.equal(`${source} ${shape}`)
      expect(given('a:hunter2,b:hunter%2')).to.equal(`${source} entry 2 ${shape}`)
      expect(given('a:hunter2,b:x,a:hunter3')).to.equal(
        `${source} has two entries for the same user (entry 3 is the second)`,
      )
    })

    it('may stand in the URL too, which is no news then', () => {
      const { settings, warnings } = load({ argv: [...journal, 'amqp://shop:hunter2@h'] })
      expect(settings.upstream.logins[0].equals(new Credentials('shop', 'hunter2'))).to.equal(true)
      expect(warnings).to.deep.equal([])
      expect(inspect(settings, { depth: 9 })).not.to.contain('hunter2')
    })

    it('are of no use without a journal', () => {
      expect(load({ argv: ['--pool-replay-logins=shop:hunter2'] }).warnings).to.deep.equal([
        'pool.replay_logins from flag --pool-replay-logins: not used, since there is no pool.publish_buffer_dir',
      ])
    })
  })

  describe('the management server', () => {
    it('is 1000 ports above the listener, and on any port where that is on any', () => {
      expect(load({ argv: ['--listen-port=7000'] }).settings.management.port).to.equal(8000)
      expect(load({ argv: ['--listen-port=0'] }).settings.management.port).to.equal(0)
      expect(load({ argv: ['--listen-port=65000'] }).settings.management.port).to.equal(0)
    })

    it('needs a token on an address that others can reach', () => {
      const address = '--management-address=0.0.0.0'
      expect(refusal({ argv: [address] })).to.equal(
        'management.address = "0.0.0.0" from flag --management-address: an address that others can reach needs management.token or management.read_token',
      )
      load({ argv: [address, '--management-token=hunter2hunter2'] })
      load({ argv: [address, '--management-read-token=hunter2hunter2'] })
      load({ argv: [address, '--management-enabled=false'] })
      for (const loopback of ['127.0.0.1', '127.1.2.3', '::1', 'localhost'])
        load({ argv: [`--management-address=${loopback}`] })
    })

    it('shows its tokens to nobody', () => {
      expect(refusal({ argv: ['--management-token=hunter2 x'] })).to.match(
        /^management\.token = \*\*\* from flag --management-token: must be empty, or 8 to/,
      )
      const token = '--management-token=hunter2hunter2'
      expect(inspect(load({ argv: [token] }).settings, { depth: 9 })).not.to.contain('hunter2')
      expect(refusal({ argv: [token, '--management-read-token=hunter2hunter2'] })).to.equal(
        'management.read_token from flag --management-read-token: must be another than management.token',
      )
    })
  })

  describe('contradictions', () => {
    // What is given, and the one line with which it is refused.
    const contradictions: [world: World, line: string][] = [
      [
        { argv: ['--pool-publish-buffer-dir=/kept'] },
        'pool.publish_buffer_dir = "/kept" from flag --pool-publish-buffer-dir: needs a publish buffer: pool.publish_buffer_size above 0',
      ],
      [
        config('[pool]\npublish_guarantee = "confirmed"'),
        'pool.publish_guarantee = "confirmed" from file /work/config.toml: needs a publish buffer: pool.publish_buffer_size above 0',
      ],
      [
        { argv: ['--client-frame-max=100MiB'] },
        'client.frame_max = 104857600 from flag --client-frame-max: client.frame_max (104857600, flag --client-frame-max) must not be above client.max_buffer_bytes (67108864, default)',
      ],
      [
        { env: { AMQP_CLIENT_MAX_MESSAGE_BYTES: '512MiB' } },
        'client.max_message_bytes = 536870912 from environment AMQP_CLIENT_MAX_MESSAGE_BYTES: client.max_message_bytes (536870912, environment AMQP_CLIENT_MAX_MESSAGE_BYTES) must not be above client.max_unfinished_bytes (268435456, default)',
      ],
      [
        { argv: ['--client-max-unfinished-bytes-total=200MiB'] },
        'client.max_unfinished_bytes_total = 209715200 from flag --client-max-unfinished-bytes-total: client.max_unfinished_bytes (268435456, default) must not be above client.max_unfinished_bytes_total (209715200, flag --client-max-unfinished-bytes-total)',
      ],
      [
        { argv: ['--shutdown-grace=1m'] },
        'shutdown.grace = 60 from flag --shutdown-grace: shutdown.grace (60, flag --shutdown-grace) must not be above shutdown.timeout (30, default)',
      ],
      [
        { argv: ['--management-port=5673'] },
        'management.port = 5673 from flag --management-port: listen.port and management.port are the same port, 5673, of one address',
      ],
      [
        { argv: ['--listen-port=7000', '--listen-address=127.0.0.1'], env: { AMQP_MANAGEMENT_PORT: '7000' } },
        'management.port = 7000 from environment AMQP_MANAGEMENT_PORT: listen.port and management.port are the same port, 7000, of one address',
      ],
      [
        { argv: ['amqp://localhost:5673'] },
        'upstream.url = "amqp://localhost:5673" from argument: Warren itself listens on port 5673 there; the broker needs another',
      ],
      [
        { argv: ['amqp://u:hunter2@127.0.0.1:6673'] },
        'upstream.url = "amqp://***@127.0.0.1:6673" from argument: Warren itself listens on port 6673 there; the broker needs another',
      ],
    ]
    for (const [world, line] of contradictions) {
      it(`refuses ${line.slice(0, line.indexOf(' from '))}`, () => {
        expect(refusal(world)).to.equal(line)
      })
    }

    it('accepts what only looks like one', () => {
      const worlds: World[] = [
        { argv: ['--listen-port=0', '--management-port=0'] },
        { argv: ['--management-port=5673', '--management-enabled=false'] },
        { argv: ['--management-port=5673', '--management-address=127.0.0.2', '--listen-address=127.0.0.1'] },
        { argv: ['amqp://rabbitmq:5673'] },
        { argv: ['amqp://127.0.0.1:5673', '--listen-address=127.0.0.2'] },
        { argv: ['--client-frame-max=64MiB', '--shutdown-grace=30', '--client-max-message-bytes=256MiB'] },
        { argv: ['--pool-publish-buffer-dir=/kept', '--pool-publish-buffer-size=1'] },
      ]
      for (const world of worlds) load(world)
    })
  })

  describe('everything that is wrong', () => {
    it('is told at once, one line each, the first of which says how many there are', () => {
      const broken: World = {
        argv: ['--listen-prt', '1', '--frobnicate=2', '--log-level=loud', '--shutdown-grace=x'],
        env: { AMQP_LISTEN_ADDRESS: 'a b', AMQP_LISTN_PORT: '1' },
        ...config('[pool]\nmax_chanels = 1\nidle_timeout = -1\n[nothing]\nx = 1'),
      }
      const { problems, message } = failure(broken)
      expect(problems.map((line) => line.split(/ = |: /)[0])).to.deep.equal([
        'unknown flag --listen-prt',
        'unknown flag --frobnicate',
        'unknown key pool.max_chanels in file /work/config.toml',
        'unknown key nothing.x in file /work/config.toml',
        'pool.idle_timeout',
        'listen.address',
        'shutdown.grace',
        'log.level',
        'unknown environment variable AMQP_LISTN_PORT',
      ])
      expect(message).to.equal(`${problems[0]} (and 8 more: warren --check lists them)`)
    })

    it('is told of values that contradict each other too', () => {
      expect(
        failure({ argv: ['--shutdown-grace=60', '--management-address=0.0.0.0'] }).problems,
      ).to.have.length(2)
    })

    it('is told of contradictions beside other mistakes', () => {
      const { problems } = failure({
        argv: ['--shutdown-grace=60', '--shutdown-timeout=50', '--log-level=loud'],
        ...config('[listen]\nprt = 1\nport = 5000'),
      })
      expect(problems.map((line) => line.split(/ = | in /)[0])).to.deep.equal([
        'unknown key listen.prt',
        'log.level',
        'shutdown.grace',
      ])
      expect(failure({ argv: ['--log-level=loud', '--management-port=5673'] }).problems).to.have.length(2)
    })

    it('does not tell of a contradiction that would be gone with another mistake', () => {
      const address = '--management-address=0.0.0.0'
      const worlds: World[] = [
        // The default that the wrong value left in place.
        { argv: ['--listen-port=x', '--management-port=5673'] },
        { argv: [address, '--management-token=short'] },
        { argv: [address, '--management-token-file=none'] },
        // What is missing may be what couldn't be understood.
        { argv: [address, '--managment-token=hunter2hunter2'] },
        { argv: [address], env: { AMQP_MANAGEMENT_TOKN: 'hunter2hunter2' } },
        { argv: [address], ...config('[managment]\ntoken = "hunter2hunter2"') },
        { argv: [address], ...config('[management') },
        { argv: [address, '--config=none'] },
        { argv: ['amqp://localhost:5673', '--listen-port=x'] },
        { argv: ['--pool-publish-buffer-dir=/kept', '--pool-publish-buffer-size=x'] },
      ]
      for (const world of worlds) expect(failure(world).problems, world.argv?.join(' ')).to.have.length(1)
    })

    it('counts a mistake no more where a stronger source gives a right value', () => {
      const { problems } = failure({
        argv: ['--listen-port=5000', '--management-port=5000'],
        ...config('[listen]\nport = -1'),
      })
      expect(problems).to.have.length(2)
      expect(problems[1]).to.contain('are the same port, 5000')
    })

    it('is told of all flags, also where an argument is too much or a flag has no value', () => {
      const told = (argv: string[]): string[] => failure({ argv }).problems.map((line) => line.split(':')[0])
      expect(told(['amqp://a', 'amqp://b', '--log-level=loud', '--frobnicate'])).to.have.length(3)
      expect(told(['--log-level=loud', '--shutdown-grace=x', '--listen-port'])).to.have.length(3)
    })

    it('is told of certificates by --check alone', () => {
      const check = (argv: string[]): readonly string[] => {
        try {
          loadSettings({
            argv,
            env: {},
            cwd: '/work',
            readFile: () => {
              throw Object.assign(new Error(), { code: 'ENOENT' })
            },
            certificateProblems: () => [
              { keys: ['tls.cert'], line: 'tls.cert: wrong' },
              { keys: ['upstream_tls.ca'], line: 'upstream_tls.ca: wrong' },
            ],
          })
          return []
        } catch (error) {
          return (error as ConfigurationError).problems
        }
      }
      expect(check([])).to.deep.equal([])
      expect(check(['--check'])).to.deep.equal(['tls.cert: wrong', 'upstream_tls.ca: wrong'])
      expect(check(['--check', '--tls-cert-file=none'])).to.have.length(2)
      expect(check(['--check', '--shutdown-grace=60'])).to.have.length(3)
    })

    it('is told of values from several sources, and a wrong one never takes the place of a right one', () => {
      const { problems } = failure({
        argv: ['--listen-port=x'],
        env: { AMQP_LISTEN_PORT: 'y' },
        ...config('[listen]\nport = -1'),
      })
      expect(problems.map((line) => /from (\w+)/.exec(line)?.[1])).to.deep.equal([
        'file',
        'environment',
        'flag',
      ])
    })
  })

  describe('secrets', () => {
    const files = {
      '/run/secrets/token': 'hunter2hunter2\n',
      '/work/other': '\uFEFFhunter3hunter3\r\n\r\n',
      '/run/secrets/empty': '\n',
      '/run/secrets/short': 'hunter2\n',
    }
    const tokenOf = (world: World): string | undefined =>
      load({ ...world, files: { ...files, ...world.files } }).settings.management.token?.reveal()

    it('can be in files that the environment, a flag or the file names, without the line break at the end', () => {
      expect(tokenOf({ env: { AMQP_MANAGEMENT_TOKEN_FILE: '/run/secrets/token' } })).to.equal(
        'hunter2hunter2',
      )
      expect(tokenOf({ argv: ['--management-token-file=other'] })).to.equal('hunter3hunter3')
      expect(tokenOf(config('[management]\ntoken_file = "/run/secrets/token"'))).to.equal('hunter2hunter2')
    })

    it('are taken from the strongest source, in a file or not', () => {
      const file = config('[management]\ntoken_file = "/run/secrets/token"')
      const env = { AMQP_MANAGEMENT_TOKEN: 'environment' }
      expect(tokenOf({ ...file, env })).to.equal('environment')
      expect(tokenOf({ ...file, env, argv: ['--management-token-file=other'] })).to.equal('hunter3hunter3')
    })

    it('name their file and who named it as their source', () => {
      const source = (world: World): string =>
        load({ ...world, files: { ...files, ...world.files } }).sources['management.token']
      expect(source({ env: { AMQP_MANAGEMENT_TOKEN_FILE: '/run/secrets/token' } })).to.equal(
        'file /run/secrets/token (environment AMQP_MANAGEMENT_TOKEN_FILE)',
      )
      expect(source(config('[management]\ntoken_file = "other"'))).to.equal(
        'file other (management.token_file in file /work/config.toml)',
      )
    })

    it('are refused where their file is missing, empty, holds something else, or is no path', () => {
      const from = (path: string): string =>
        refusal({ argv: [`--management-token-file=${path}`], files }).replace('management.token', 'T')
      const source = 'from file /run/secrets/PATH (flag --management-token-file)'
      expect(from('/run/secrets/none')).to.equal(
        `T ${source.replace('PATH', 'none')}: can't be read: no such file`,
      )
      expect(from('/run/secrets/empty')).to.equal(`T ${source.replace('PATH', 'empty')}: is empty`)
      expect(from('/run/secrets/short')).to.equal(
        `T = *** ${source.replace('PATH', 'short')}: must be empty, or 8 to 256 printable ASCII characters without spaces`,
      )
      expect(from('')).to.equal('T_file from flag --management-token-file: must be a path')
      expect(refusal(config('[management]\ntoken_file = 1'))).to.equal(
        'management.token_file from file /work/config.toml: must be a path',
      )
    })

    it('are refused when one source gives them twice', () => {
      const token = 'hunter2hunter2'
      expect(refusal({ env: { AMQP_MANAGEMENT_TOKEN: token, AMQP_MANAGEMENT_TOKEN_FILE: '/x' } })).to.equal(
        'management.token is given twice, by environment AMQP_MANAGEMENT_TOKEN and by environment AMQP_MANAGEMENT_TOKEN_FILE: use one',
      )
      expect(refusal(config(`[management]\ntoken = "${token}"\ntoken_file = "/x"`))).to.equal(
        'management.token is given twice, as management.token in file /work/config.toml and as management.token_file in file /work/config.toml: use one',
      )
    })

    it('can be the whole upstream URL', () => {
      const world = { argv: ['--upstream-url-file=u'], files: { '/work/u': 'amqp://u:hunter2@rabbit\n' } }
      expect(load(world).settings.upstream.endpoints[0].host).to.equal('rabbit')
    })

    it('are in nothing that an inspection of what was loaded shows', () => {
      const loaded = load({ argv: ['--management-token=hunter2hunter2', 'amqp://u:hunter2@rabbit'] })
      expect(loaded.values.management.token).to.equal('hunter2hunter2')
      expect(inspect(loaded, { depth: 9, showHidden: true })).not.to.contain('hunter2')
      expect(JSON.stringify(loaded)).not.to.contain('hunter2')
    })
  })

  describe('changedKeys', () => {
    it('names the keys whose values differ, and no others', () => {
      const text = '[upstream]\nurl = ["amqp://a", "amqp://b"]\n[management]\ntoken_file = "t"'
      const of = (token: string, port: string): LoadedSettings =>
        load({
          argv: ['--listen-port', port],
          files: { '/work/config.toml': text, '/work/t': token },
        })
      expect(changedKeys(of('hunter2hunter2', '1'), of('hunter2hunter2\n', '1'))).to.deep.equal([])
      expect(changedKeys(of('hunter2hunter2', '1'), of('hunter3hunter3', '2'))).to.deep.equal([
        'listen.port',
        'management.token',
      ])
    })
  })

  describe('withChanges', () => {
    it('has the new values of some keys, so that the others still differ', () => {
      const before = load({ argv: ['--listen-port=1', '--log-level=info'] })
      const after = load({ argv: ['--listen-port=2', '--log-level=warn'] })
      const between = withChanges(before, after, ['log.level'])
      expect(changedKeys(between, after)).to.deep.equal(['listen.port'])
      expect(changedKeys(before, between)).to.deep.equal(['log.level'])
    })
  })

  describe('action', () => {
    it('is what the flags ask for', () => {
      const action = (...argv: string[]): string => load({ argv }).action
      expect(action('--check')).to.equal('check')
      expect(action('--print-config')).to.equal('print-config')
      expect(action('--help')).to.equal('help')
      expect(action('-h')).to.equal('help')
      expect(action('--version')).to.equal('version')
      expect(action('-V')).to.equal('version')
      expect(action('--check', '--print-config', '--version', '--help')).to.equal('help')
    })

    it('needs no valid configuration for --help and --version', () => {
      const broken = { env: { AMQP_LISTEN_PORT: 'x' }, ...config('!') }
      for (const flag of ['--help', '--version'])
        expect(() => load({ argv: [flag], ...broken })).not.to.throw()
      for (const flag of ['--check', '--print-config']) refusal({ argv: [flag], ...broken })
    })
  })
})

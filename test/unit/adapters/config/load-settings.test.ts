import { inspect } from 'node:util'
import { expect } from 'chai'
import { ConfigurationError } from '../../../../src/adapters/config/configuration-error.js'
import { Secret } from '../../../../src/domain/secret.js'
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

/** The one line with which loading fails. */
function refusal(world: World): string {
  try {
    load(world)
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigurationError)
    const { message } = error as ConfigurationError
    expect(message, 'one line').not.to.match(/[\n\r]/)
    return message
  }
  throw new Error('was not refused')
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
      upstream: { endpoints: [{ host: '127.0.0.1', port: 5672 }], connectTimeout: 10, heartbeat: 0 },
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
      upstream: { endpoints: [{ host: 'rabbit', port: 5672 }], connectTimeout: 1, heartbeat: 2 },
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
      expect(refusal({ argv: ['amqp://a', 'amqp://b'] })).to.contain('too many arguments')
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

    it('is refused with the line where it stops being TOML, without quoting it', () => {
      const message = refusal(config('[upstream]\nurl = "amqp://u:hunter2@h\n'))
      expect(message).to.contain('/work/config.toml, line 2: not valid TOML: control characters')
      expect(message).not.to.contain('hunter2')
    })

    const broken = {
      'a word that is no value': ['{\n"upstream": {\n"url": hunter2\n}\n}', 3],
      'a missing comma': ['{\n"listen": {}\n"upstream": "hunter2"}', 3],
      'a trailing comma': ['{\n"listen": {},\n}', 3],
      'an open string': ['{\n"listen": "hunter2\n}', 2],
      'an early end': ['{\n"listen": {\n', 3],
      'text behind the end': ['{}\n\nhunter2', 3],
      'nothing at all': ['', 1],
    } as const
    for (const [mistake, [text, line]] of Object.entries(broken)) {
      it(`is refused with the line where it stops being JSON: ${mistake}`, () => {
        expect(refusal({ argv: ['--config=c.json'], files: { '/work/c.json': text } })).to.equal(
          `configuration file /work/c.json, line ${line}: not valid JSON`,
        )
      })
    }

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

    it('only warns of an unknown environment variable with our prefix', () => {
      const { warnings } = load({ env: { AMQP_LISTN_PORT: 'hunter2', AMQP_URL: 'hunter2', HOME: '/root' } })
      expect(warnings).to.deep.equal([
        'environment AMQP_LISTN_PORT: not a setting of Warren, ignored; did you mean AMQP_LISTEN_PORT?',
        'environment AMQP_URL: not a setting of Warren, ignored',
      ])
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
      '--upstream-connect-timeout': ['0', '-1', '10s', 'Infinity', '2147484'],
      '--upstream-heartbeat': ['0.5', '65536'],
      '--client-frame-max': ['1', '8191', '-1', '2147483648'],
      '--client-max-message-bytes': ['0', '64MiB'],
      '--log-format': ['JSON', 'xml'],
    }
    for (const [flag, values] of Object.entries(refused)) {
      for (const value of values) {
        it(`refuses ${flag} ${JSON.stringify(value)}`, () => {
          expect(refusal({ argv: [`${flag}=${value}`] })).to.contain(`from flag ${flag}: must be `)
        })
      }
    }

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

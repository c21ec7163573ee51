import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { run } from '../../../../src/adapters/cli/run.js'

describe('warrenctl', () => {
  let server: Server
  let port: number
  let asked: { method: string; url: string; authorization: string | undefined }[]
  let answer: { status: number; body: string }

  before(async () => {
    server = createServer((request, response) => {
      const { method = '', url = '', headers } = request
      asked.push({ method, url, authorization: headers.authorization })
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
  })
  after(() => server.close())
  beforeEach(() => {
    asked = []
    answer = { status: 200, body: '{}' }
  })

  async function ctl(
    words: string[],
    env: Record<string, string> = {},
  ): Promise<{ code: number; out: string; err: string }> {
    let out = ''
    let err = ''
    const code = await run({
      argv: words,
      env,
      version: '1.2.3',
      write: (text) => (out += text),
      complain: (text) => (err += text),
      isTerminal: false,
    })
    return { code, out, err }
  }

  it('takes the port of the clients after "manager", as that of the management server is 1000 above', async () => {
    answer.body = '{"status":"success","message":"Connection limit updated to 2000"}'
    const { code, out } = await ctl(['manager', String(port - 1000), 'limit', '2000'])
    expect({ code, out }).to.deep.equal({ code: 0, out: 'Connection limit updated to 2000\n' })
    expect(asked).to.deep.equal([{ method: 'PUT', url: '/limit', authorization: undefined }])
  })

  it('takes server and token from flags, or else from the environment', async () => {
    const url = `http://127.0.0.1:${port}/`
    answer.body = '{"level":"info"}'
    await ctl(['log-level', '--url', url, '--token', 'one'])
    await ctl(['log-level'], { WARREN_URL: url, WARREN_TOKEN: 'two' })
    await ctl(['log-level', '--port', String(port)], { WARREN_URL: 'http://127.0.0.1:1', WARREN_TOKEN: '' })
    expect(asked.map(({ authorization }) => authorization)).to.deep.equal([
      'Bearer one',
      'Bearer two',
      undefined,
    ])
  })

  it('lists workers, has them restarted, and finds what belongs to one of them', async () => {
    const worker = { id: 'w1', pid: 4711, state: 'ready', clients: 3, starts: 1, age_seconds: 61 }
    answer.body = JSON.stringify({ total: 1, offset: 0, workers: [worker] })
    const { out } = await ctl(['--port', String(port), 'workers'])
    expect(out.split('\n')[1]).to.match(/^w1 +4711 +ready +3 +1 +1m 1s$/)
    answer.body = JSON.stringify({ total: 0, offset: 0, workers: [] })
    expect((await ctl(['--port', String(port), 'workers'])).out).to.contain('one process')
    answer.body = '{"status":"success","message":"done"}'
    asked = []
    for (const words of [
      ['reload'],
      ['restart-workers'],
      ['kill', 'w2-c1'],
      ['kill', 'w2-u1'],
      ['kill', 'u1'],
    ])
      await ctl(['--port', String(port), ...words])
    expect(asked.map(({ method, url }) => `${method} ${url}`)).to.deep.equal([
      'POST /reload',
      'POST /workers/restart',
      'DELETE /clients/w2-c1',
      'DELETE /upstreams/w2-u1',
      'DELETE /upstreams/u1',
    ])
  })

  it('says what the server says when it refuses, and ends with 1', async () => {
    answer = {
      status: 409,
      body: '{"error":"cannot set limit to 1 when 2 connections are active","status":"failed"}',
    }
    expect(await ctl(['--port', String(port), 'limit', '1'])).to.deep.equal({
      code: 1,
      out: '',
      err: 'Error: cannot set limit to 1 when 2 connections are active\n',
    })
  })

  it('ends with 69 where something else answers, and with 2 when it is called wrongly', async () => {
    answer.body = '<html>'
    expect(await ctl(['--port', String(port), 'stats'])).to.deep.include({
      code: 69,
      err: `Error: http://127.0.0.1:${port} does not answer like Warren's management server\n`,
    })
    expect((await ctl(['limit'])).code).to.equal(2)
    expect((await ctl(['manager', 'status'])).code).to.equal(2)
    expect((await ctl(['--help'])).code).to.equal(0)
  })

  for (const [what, words, says] of [
    ['no port after "manager"', ['manager', 'status'], 'manager needs the port on which clients connect'],
    ['a port that is none', ['--port', 'many', 'status'], 'the port must be from 1 to 65535, not many'],
    ['a port beyond all', ['manager', '65000', 'status'], 'the port must be from 1 to 65535, not 66000'],
    ['an address that is none', ['--url', 'nonsense', 'status'], 'nonsense is no address of a server'],
    ['a token that cannot be', ['--token', 'my\nsecret', 'status'], 'the token has characters'],
  ] as const)
    it(`ends with 2 and one line for ${what}, which has no token in it`, async () => {
      const { code, out, err } = await ctl([...words])
      expect({ code, out }).to.deep.equal({ code: 2, out: '' })
      expect(err)
        .to.match(/^Error: .*\n$/)
        .and.to.contain(says)
      expect(err).not.to.contain('secret')
      expect(asked).to.deep.equal([])
    })

  for (const [env, meant] of [
    [{ AMQP_MANAGEMENT_PORT: 'PORT' }, 'as it is'],
    [
      { WARREN_PORT: '', AMQP_MANAGEMENT_PORT: 'auto', AMQP_LISTEN_PORT: 'PORT-1000' },
      '1000 above that of the clients',
    ],
    [{ AMQP_LISTEN_PORT: 'PORT-1000' }, '1000 above that of the clients, too'],
    [{ WARREN_PORT: 'PORT', AMQP_MANAGEMENT_PORT: '1', AMQP_LISTEN_PORT: '2' }, 'its own first'],
    [{ WARREN_PORT: 'tcp://10.0.0.1:5673', AMQP_MANAGEMENT_PORT: 'PORT' }, "not Kubernetes' own"],
  ] as [Record<string, string>, string][])
    it(`takes the port that the server was given in ${Object.keys(env).join(', ')}, ${meant}`, async () => {
      const values = Object.entries(env).map(([name, value]) => {
        const offset = value.endsWith('-1000') ? 1000 : 0
        return [name, value.startsWith('PORT') ? String(port - offset) : value]
      })
      expect((await ctl(['log-level'], Object.fromEntries(values) as Record<string, string>)).err).to.equal(
        '',
      )
      expect(asked).to.have.length(1)
    })

  it('says which variable holds no port', async () => {
    expect((await ctl(['status'], { AMQP_MANAGEMENT_PORT: '0' })).err).to.equal(
      'Error: AMQP_MANAGEMENT_PORT must be from 1 to 65535, not 0\n',
    )
  })

  it('says in one line that there is no such host', async () => {
    const { code, err } = await ctl(['--url', 'http://warren.invalid:1', 'status'])
    expect(code).to.equal(69)
    expect(err).to.match(
      /^Error: Failed to connect to management server: .* \(http:\/\/warren\.invalid:1\)\n$/,
    )
  })

  for (const [words, says] of [
    [
      ['limit', '0'],
      'connection limit must be positive: a whole number above 0, or "none" for no limit; not "0"',
    ],
    [
      ['limit', '-5'],
      'connection limit must be positive: a whole number above 0, or "none" for no limit; not "-5"',
    ],
    [
      ['limit', 'many'],
      'connection limit must be positive: a whole number above 0, or "none" for no limit; not "many"',
    ],
    [['increase', '1.5'], 'amount must be positive: a whole number above 0; not "1.5"'],
    [['decrease', ''], 'amount must be positive: a whole number above 0; not ""'],
    [['decrease', '-1'], 'amount must be positive: a whole number above 0; not "-1"'],
    [
      ['increase', '9'.repeat(30)],
      `amount must be positive: a whole number above 0; not "${'9'.repeat(30)}"`,
    ],
  ] as const)
    it(`does not bother the server with ${words.join(' ')}`, async () => {
      expect(await ctl(['--port', String(port), ...words])).to.deep.equal({
        code: 2,
        out: '',
        err: `Error: ${says}\n`,
      })
      expect(asked).to.deep.equal([])
    })

  it('tells its version, without a server', async () => {
    for (const flag of ['--version', '-V'])
      expect(await ctl([flag])).to.deep.equal({ code: 0, out: '1.2.3\n', err: '' })
    expect(asked).to.deep.equal([])
  })

  it('ends with 3 when Warren is not ready, and shows why, and what somebody should look at', async () => {
    answer.body = JSON.stringify({
      status: 'not ready',
      service: 'warren',
      reasons: ['broker unreachable: no'],
      warnings: ['the certificate of the listener (a) expires soon', 'worker w2 is not ready'],
    })
    const { code, out } = await ctl(['--port', String(port), 'health'])
    expect(code).to.equal(3)
    expect(out)
      .to.contain('Ready: no: broker unreachable: no\n')
      .and.to.contain('Warning: the certificate of the listener (a) expires soon\n')
      .and.to.contain('Warning: worker w2 is not ready\n')
    const json = JSON.parse((await ctl(['--port', String(port), '--json', 'health'])).out) as object
    expect(json).to.deep.include({
      ready: false,
      reasons: ['broker unreachable: no'],
      warnings: ['the certificate of the listener (a) expires soon', 'worker w2 is not ready'],
    })
  })

  it('lists, retries and drops messages that were set aside', async () => {
    const where = ['--port', String(port)]
    answer.body = '{"total":0,"offset":0,"aside":[]}'
    expect((await ctl([...where, 'aside'])).out).to.equal('No messages are set aside.\n')
    const message = {
      id: '7',
      user: 'shop',
      vhost: '/',
      exchange: '',
      routing_key: 'orders',
      size: 2048,
      reason: 'basic.nack',
      refused_at: '2026-11-21T16:00:00.000Z',
      expired: true,
      publisher_told: false,
    }
    answer.body = JSON.stringify({ total: 1, offset: 0, aside: [message] })
    expect((await ctl([...where, 'aside', '--sort', '-size'])).out).to.equal(
      [
        'ID  REFUSED AT                USER  VHOST  EXCHANGE   ROUTING KEY  SIZE     TOLD  REASON',
        '7   2026-11-21T16:00:00.000Z  shop  /      (default)  orders       2.0 KiB  no    expired; basic.nack\n',
      ].join('\n'),
    )
    answer.body = '{"status":"success","message":"done"}'
    expect((await ctl([...where, 'retry', '7'])).out).to.equal('done\n')
    expect((await ctl([...where, 'drop', 'all'])).out).to.equal('done\n')
    expect(asked.map(({ method, url }) => `${method} ${url}`)).to.deep.equal([
      'GET /aside',
      'GET /aside?sort=-size',
      'POST /aside/7/retry',
      'DELETE /aside/all',
    ])
  })

  it('shows tables, in which no name can move the cursor', async () => {
    const row = {
      id: 'p1',
      user: 'a\u001b[2Jb',
      vhost: '/',
      state: 'open',
      clients: 3,
      upstreams: 1,
      channels: 12,
    }
    answer.body = JSON.stringify({ total: 7, offset: 0, pools: [{ ...row, buffered_messages: 0 }] })
    expect((await ctl(['--port', String(port), 'pools'])).out).to.equal(
      [
        'ID  USER    VHOST  STATE  CLIENTS  UPSTREAMS  CHANNELS  BUFFERED',
        'p1  a\ufffd[2Jb  /      open         3          1        12         0',
        '1 of 7 pools\n',
      ].join('\n'),
    )
    expect((await ctl(['--port', String(port), '--json', 'pools'])).out).to.equal(`${answer.body}\n`)
  })
})

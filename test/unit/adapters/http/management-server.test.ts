import { expect } from 'chai'
import { identifiers } from '../../../../src/application/identifiers.js'
import { ManagementServer } from '../../../../src/adapters/http/management-server.js'
import type { UseCases } from '../../../../src/adapters/http/routes.js'
import { Secret } from '../../../../src/domain/secret.js'
import { ProcessSight } from '../../../../src/application/operations/process-sight.js'
import { settle } from '../../../support/fake-byte-stream.js'
import { World, type WorldOptions } from '../../../support/fake-world.js'

interface Answer {
  status: number
  body: Record<string, unknown>
  text: string
  headers: Record<string, unknown>
}

interface Asking {
  method?: 'GET' | 'PUT' | 'POST' | 'DELETE'
  body?: unknown
  headers?: Record<string, string>
}

const TOKENS = { token: new Secret('may-change'), readToken: new Secret('may-look') }
const NO_TOKENS = { token: undefined, readToken: undefined }
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

describe('ManagementServer', () => {
  let world: World
  let server: ManagementServer

  async function start(tokens: typeof TOKENS | typeof NO_TOKENS, options: WorldOptions = {}): Promise<void> {
    world = await World.start(options)
    const get = <T>(identifier: symbol): T => world.container.get<T>(identifier)
    const useCases: UseCases = {
      overview: new ProcessSight(get(identifiers.Overview), {
        takeEventLoopLag: () => ({ p50: 0, p99: 0 }),
        residentBytes: 1,
        cpuSeconds: 1,
      }),
      operations: world.operations,
      limits: get(identifiers.Limits),
      readiness: get(identifiers.Readiness),
      reload: get(identifiers.Reload),
      logLevels: world.logger,
      workers: { views: () => [], restart: () => ({ refused: 'conflict', reason: 'there are none' }) },
      metrics: {
        contentType: 'text/plain',
        render: () => Promise.reject(new Error('what nobody needs to know')),
      },
    }
    const product = { name: 'Warren', version: '1.2.3', platform: 'tests', host: 'burrow' }
    server = await ManagementServer.create(useCases, { address: '127.0.0.1', ...tokens }, product)
  }

  async function ask(url: string, { method = 'GET', body, headers = {} }: Asking = {}): Promise<Answer> {
    const json = body === undefined ? {} : { payload: JSON.stringify(body) }
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const {
      statusCode,
      payload,
      headers: sent,
    } = await server.inject({
      method,
      url,
      headers: { host: '127.0.0.1:6673', ...type, ...headers },
      ...json,
    })
    const isJson = String(sent['content-type']).startsWith('application/json')
    return {
      status: statusCode,
      body: isJson ? (JSON.parse(payload) as Record<string, unknown>) : {},
      text: payload,
      headers: sent,
    }
  }

  afterEach(async function () {
    await server.close()
    world.expectNoComplaints(this)
  })

  describe('the limit', () => {
    beforeEach(() => start(NO_TOKENS, { settings: { pool: { maxClientConnections: 1000 } } }))

    it('is shown, set, raised, lowered and lifted in the words of the interface', async () => {
      for (let n = 0; n < 45; n++) world.dial()
      await settle()
      expect((await ask('/stats')).body).to.deep.equal({
        active_connections: 45,
        max_connections: 1000,
        usage_percentage: 4.5,
        available_slots: 955,
      })
      expect((await ask('/limit')).body).to.deep.equal({ current_limit: 1000, active_connections: 45 })
      expect((await ask('/limit', { method: 'PUT', body: { limit: 2000 } })).body).to.deep.equal({
        status: 'success',
        new_limit: 2000,
        message: 'Connection limit updated to 2000',
      })
      await ask('/limit', { method: 'PUT', body: { limit: 1000 } })
      expect((await ask('/limit/increase', { method: 'POST', body: { amount: 500 } })).body).to.deep.equal({
        status: 'success',
        old_limit: 1000,
        new_limit: 1500,
        increase_amount: 500,
        message: 'Connection limit increased from 1000 to 1500',
      })
      expect((await ask('/limit/decrease', { method: 'POST', body: { amount: 200 } })).body).to.deep.equal({
        status: 'success',
        old_limit: 1500,
        new_limit: 1300,
        decrease_amount: 200,
        message: 'Connection limit decreased from 1500 to 1300',
      })
      expect((await ask('/limit', { method: 'DELETE' })).body).to.include({ old_limit: 1300, new_limit: 0 })
      expect((await ask('/stats')).body).to.include({ max_connections: 0, available_slots: null })
    })

    it('is refused below the clients that are in, with both numbers', async () => {
      for (let n = 0; n < 750; n++) world.dial()
      await settle()
      expect(await ask('/limit', { method: 'PUT', body: { limit: 500 } })).to.deep.include({
        status: 409,
        body: { error: 'cannot set limit to 500 when 750 connections are active', status: 'failed' },
      })
    })

    for (const body of [
      { limit: 0 },
      { limit: -1 },
      { limit: 1.5 },
      { limit: '10' },
      { limit: null },
      {},
      [],
      7,
    ])
      it(`is refused when it is no positive integer: ${JSON.stringify(body)}`, async () => {
        expect(await ask('/limit', { method: 'PUT', body })).to.deep.include({
          status: 400,
          body: { error: 'connection limit must be positive', status: 'failed' },
        })
      })

    it('is refused with 400 where it makes no sense, and with 409 where it is not limited at all', async () => {
      const decrease = (amount: number): Promise<Answer> =>
        ask('/limit/decrease', { method: 'POST', body: { amount } })
      expect(await decrease(1000)).to.deep.include({
        status: 400,
        body: {
          error: 'connection limit must be positive: it is 1000, and cannot go down by 1000',
          status: 'failed',
        },
      })
      expect((await ask('/limit', { method: 'PUT', body: { limit: 2 ** 31 } })).status).to.equal(400)
      await ask('/limit', { method: 'DELETE' })
      expect((await decrease(1)).status).to.equal(409)
    })

    it('remembers when it was changed, from what to what, and by which way', async () => {
      await ask('/limit', { method: 'PUT', body: { limit: 7 } })
      await ask('/limit/increase', {
        method: 'POST',
        body: { amount: 3 },
        headers: { 'x-warren-client': 'cli' },
      })
      const { body } = await ask('/limit/history')
      expect(body.changes).to.deep.equal([
        { time: new Date(world.clock.wallTime()).toISOString(), old: 1000, new: 7, who: 'http' },
        { time: new Date(world.clock.wallTime()).toISOString(), old: 7, new: 10, who: 'cli' },
      ])
    })
  })

  describe('access', () => {
    it('with the reading token changes nothing, on no route', async () => {
      await start(TOKENS)
      const changing = server.routes.filter(({ method }) => method !== 'GET')
      expect(changing.map(({ role }) => role)).to.deep.equal(changing.map(() => 'change'))
      expect(changing).to.have.length.at.least(11)
      for (const { method, url } of changing) {
        const answer = await ask(url.replace(':id', 'p1').replace(':file', 'page.js'), {
          method,
          headers: bearer('may-look'),
        })
        expect(answer, `${method} ${url}`).to.deep.include({
          status: 403,
          body: { error: 'this token may look, and change nothing', status: 'failed' },
        })
      }
    })

    it('without a token is to health and the empty page alone', async () => {
      await start(TOKENS)
      for (const { method, url, role } of server.routes) {
        const { status, headers } = await ask(url.replace(':id', 'p1').replace(':file', 'page.js'), {
          method,
        })
        if (role === 'public') expect(status, url).to.equal(200)
        else expect(status, url).to.equal(401)
        if (role !== 'public') expect(headers['www-authenticate']).to.equal('Bearer realm="warren"')
      }
      expect(server.routes.filter(({ role }) => role === 'public').map(({ url }) => url)).to.deep.equal([
        '/health',
        '/healthz',
        '/readyz',
        '/',
        '/page/:file',
      ])
      expect((await ask('/no-such-route')).status).to.equal(401)
    })

    it('is given by either token to look, by one to change, and by no other', async () => {
      await start(TOKENS)
      for (const token of ['may-look', 'may-change'])
        expect((await ask('/limit', { headers: bearer(token) })).status).to.equal(200)
      const put = { method: 'PUT', body: { limit: 5 } } as const
      expect((await ask('/limit', { ...put, headers: bearer('may-change') })).status).to.equal(200)
      for (const token of ['may-chang', 'may-changes', 'MAY-CHANGE', '']) {
        const answer = await ask('/limit', { ...put, headers: bearer(token) })
        expect(answer.status).to.equal(401)
        expect(answer.text).not.to.contain('may-change')
      }
    })

    it("is nobody's to change without a token for it", async () => {
      await start({ ...TOKENS, token: undefined } as unknown as typeof TOKENS)
      const answer = await ask('/limit', { method: 'PUT', body: { limit: 5 }, headers: bearer('may-look') })
      expect(answer.status).to.equal(403)
    })

    it('is not for names that others can point here', async () => {
      await start(NO_TOKENS)
      for (const host of ['evil.example', 'evil.example:6673', '127.0.0.1.evil.example', 'localhost.evil'])
        expect((await ask('/stats', { headers: { host } })).status, host).to.equal(403)
      for (const host of ['localhost:6673', '127.0.0.1', '[::1]:6673', 'LOCALHOST'])
        expect((await ask('/stats', { headers: { host } })).status, host).to.equal(200)
    })

    it('from pages of other sites changes nothing, with and without tokens', async () => {
      for (const tokens of [NO_TOKENS, TOKENS]) {
        await start(tokens)
        const put = { method: 'PUT', body: { limit: 5 } } as const
        const from = (headers: Record<string, string>): Promise<Answer> =>
          ask('/limit', { ...put, headers: { ...headers, ...bearer('may-change') } })
        expect((await from({ origin: 'http://evil.example' })).status).to.equal(403)
        expect((await from({ origin: 'http://127.0.0.1:9999' })).status).to.equal(403)
        expect((await from({ origin: 'null' })).status).to.equal(403)
        expect((await from({ 'sec-fetch-site': 'cross-site' })).status).to.equal(403)
        expect((await from({ 'sec-fetch-site': 'same-site' })).status).to.equal(403)
        expect((await ask('/limit', { headers: bearer('may-change') })).body).to.include({ current_limit: 0 })
        const own = { origin: 'http://127.0.0.1:6673', 'sec-fetch-site': 'same-origin' }
        expect((await from(own)).status).to.equal(200)
        if (tokens === NO_TOKENS) await server.close()
      }
    })
  })

  describe('requests', () => {
    beforeEach(() => start(NO_TOKENS))

    it('for what is not there are answered in the same form', async () => {
      expect(await ask('/nowhere')).to.deep.include({
        status: 404,
        body: { error: 'there is no GET /nowhere', status: 'failed' },
      })
      expect((await ask('/pools/p9/pause', { method: 'POST' })).body).to.deep.equal({
        error: 'there is no pool p9',
        status: 'failed',
      })
      expect((await ask('/upstreams/u9', { method: 'DELETE' })).status).to.equal(404)
    })

    it('are bounded in size', async () => {
      const answer = await ask('/limit', { method: 'PUT', body: { limit: 1, padding: 'x'.repeat(20_000) } })
      expect(answer.status).to.equal(413)
      expect(answer.body).to.include({ status: 'failed' })
    })

    it('that name JSON and bring none are as good as those that name nothing', async () => {
      const headers = { 'content-type': 'application/json' }
      expect((await ask('/limit', { method: 'DELETE', headers })).status).to.equal(200)
      expect((await ask('/pools/p9/pause', { method: 'POST', headers })).status).to.equal(404)
      expect((await ask('/limit', { method: 'PUT', headers })).body).to.include({
        error: 'connection limit must be positive',
      })
    })

    it('that meet a fault of Warren are told of it without its words', async () => {
      expect(await ask('/metrics')).to.deep.include({
        status: 500,
        body: { error: 'internal error', status: 'failed' },
      })
    })

    it('with another body than JSON are refused', async () => {
      const answer = await ask('/limit', {
        method: 'PUT',
        body: 'limit=1',
        headers: { 'content-type': 'text/plain' },
      })
      expect(answer.status).to.equal(415)
    })
  })

  describe('lists', () => {
    it('show clients with what is known of them', async () => {
      await start(NO_TOKENS)
      await world.connectWithChannels(2, { vhost: 'v', user: 'rabbit' })
      world.dial()
      await settle()
      const { body } = await ask('/clients')
      expect(body.total).to.equal(2)
      const [first, second] = body.clients as Record<string, unknown>[]
      expect(first).to.include({
        id: 'c1',
        remote_address: '192.0.2.1:40001',
        user: 'rabbit',
        vhost: 'v',
        pool: 'p1',
        state: 'open',
        channels: 2,
      })
      expect(first.bytes_in).to.be.above(100)
      expect(first.frames_in).to.equal(5)
      expect(first.frames_out).to.equal(5)
      expect(second).to.include({ id: 'c2', state: 'handshake', user: null })
    })

    it('show what clients call their connections, in a form that steers no terminal and fills no page', async () => {
      await start(NO_TOKENS)
      for (const name of ['invoices', 'a\nb\u001b[31m\u009b\u202e', '', 'x'.repeat(5000)])
        await world.connect({ name })
      await world.connect()
      const { body } = await ask('/clients')
      expect(
        (body.clients as { connection_name: unknown }[]).map((client) => client.connection_name),
      ).to.deep.equal(['invoices', 'a?b?[31m?', null, 'x'.repeat(128), null])
      expect((await ask('/clients?search=invoices')).body.total).to.equal(1)
    })

    it('come page by page, searched and sorted', async () => {
      await start(NO_TOKENS)
      for (let n = 0; n < 250; n++) world.dial()
      await world.connect({ user: 'needle' })
      const page = async (query: string): Promise<{ total: unknown; ids: unknown[] }> => {
        const { body } = await ask(`/clients?${query}`)
        return { total: body.total, ids: (body.clients as { id: string }[]).map(({ id }) => id) }
      }
      expect((await page('')).ids).to.have.length(100)
      expect(await page('offset=249&limit=1')).to.deep.equal({ total: 251, ids: ['c250'] })
      expect(await page('search=NEEDLE')).to.deep.equal({ total: 1, ids: ['c251'] })
      expect((await page('sort=-id&limit=2')).ids).to.deep.equal(['c251', 'c250'])
      expect((await ask('/clients?sort=shoe_size')).status).to.equal(400)
      expect((await ask('/clients?limit=many')).status).to.equal(400)
    })

    it('never come with more than 1000 entries', async () => {
      await start(NO_TOKENS)
      for (let n = 0; n < 1010; n++) world.dial()
      const { body } = await ask('/clients?limit=9999')
      expect(body.total).to.equal(1010)
      expect(body.clients).to.have.length(1000)
    })

    it('show upstream connections and pools', async () => {
      await start(NO_TOKENS)
      const client = await world.connectWithChannels(1)
      client.publish(1, 'hello')
      await settle()
      expect(((await ask('/upstreams')).body.upstreams as object[])[0]).to.include({
        id: 'u2',
        pool: 'p1',
        user: 'guest',
        vhost: '/',
        state: 'open',
        role: 'publisher',
        channels: 1,
        max_channels: 2047,
      })
      await ask('/pools/p1/pause', { method: 'POST' })
      expect(((await ask('/pools')).body.pools as object[])[0]).to.include({
        id: 'p1',
        state: 'paused',
        clients: 1,
        upstreams: 1,
        channels: 1,
        quarantine: false,
      })
      const { body } = await ask('/summary')
      expect(body.traffic).to.include({ publishes: 1, accepted: 1 })
      expect(body.pools).to.deep.equal({ open: 0, paused: 1, reconnecting: 0, idle: 0 })
    })
  })

  describe('messages that the broker has refused', () => {
    beforeEach(async () => {
      await start(NO_TOKENS, { settings: { pool: { publishBufferSize: 10, publishGuarantee: 'confirmed' } } })
      world.broker.confirms = false
      const client = await world.connectWithChannels(1)
      for (const [exchange, body] of [
        ['orders', 'one'],
        ['bills', 'three'],
      ])
        client.publish(1, { body, exchange, routingKey: 'key' })
      await settle()
      for (const tag of [1, 2]) world.upstream.confirm(1, tag, false, 'basic.nack')
      await settle()
      world.broker.confirms = true
    })

    it('are listed', async () => {
      const { body } = await ask('/aside?sort=-size')
      const [first, second] = body['aside'] as Record<string, unknown>[]
      expect(body['total']).to.equal(2)
      expect(first).to.deep.equal({
        id: '2',
        user: 'guest',
        vhost: '/',
        exchange: 'bills',
        routing_key: 'key',
        size: 5,
        reason: 'basic.nack',
        refused_at: first['refused_at'],
        expired: false,
        publisher_told: false,
      })
      expect(first['refused_at']).to.match(/^2001-09-09T01:46:\d\d\.\d{3}Z$/)
      expect(second['id']).to.equal('1')
      expect((await ask('/aside?search=orders')).body['total']).to.equal(1)
    })

    it('are published again, one or all', async () => {
      expect((await ask('/aside/2/retry', { method: 'POST' })).body).to.deep.equal({
        status: 'success',
        retried: 1,
        waiting: 0,
        expired: 0,
        message: '1 message is published again',
      })
      expect((await ask('/aside/all/retry', { method: 'POST' })).body).to.deep.include({ retried: 1 })
      await settle()
      expect([...world.broker.stored]).to.deep.equal(['three', 'one'])
      expect((await ask('/aside')).body['total']).to.equal(0)
    })

    it('are dropped, one or all', async () => {
      expect((await ask('/aside/1', { method: 'DELETE' })).body).to.deep.equal({
        status: 'success',
        dropped: 1,
        message: '1 message dropped',
      })
      expect((await ask('/aside/all', { method: 'DELETE' })).body).to.deep.include({ dropped: 1 })
      expect((await ask('/aside')).body['total']).to.equal(0)
    })

    it('are told to be gone, and no other words are taken for an id', async () => {
      expect(await ask('/aside/7', { method: 'DELETE' })).to.deep.include({
        status: 404,
        body: { error: 'there is no message set aside 7', status: 'failed' },
      })
      for (const id of ['x', '-1', '1.5', 'ALL'])
        expect((await ask(`/aside/${id}/retry`, { method: 'POST' })).status, id).to.equal(400)
      expect((await ask('/aside')).body['total']).to.equal(2)
    })
  })

  describe('health', () => {
    it('is told in two words, and readiness with reasons', async () => {
      await start(NO_TOKENS)
      expect((await ask('/health')).body).to.deep.equal({ status: 'healthy', service: 'warren' })
      expect((await ask('/healthz')).status).to.equal(200)
      const ready = async (): Promise<Answer> => {
        const answer = ask('/readyz')
        await world.advance(50)
        return answer
      }
      expect((await ready()).body).to.deep.equal({ status: 'ready', reasons: [], warnings: [] })
      world.brokerDown()
      await world.advance(6000)
      const { status, body } = await ready()
      expect(status).to.equal(503)
      expect((body as { reasons: string[] }).reasons[0]).to.match(
        /^broker unreachable: connect ECONNREFUSED rabbit:5672; next try in /,
      )
      world.operations.drain()
      expect((await ready()).body.reasons).to.deep.equal(['clients are not accepted'])
    })
  })

  it('changes the log level', async () => {
    await start(NO_TOKENS)
    await ask('/log', { method: 'PUT', body: { level: 'warn' } })
    expect((await ask('/log')).body).to.deep.equal({ level: 'warn' })
    expect((await ask('/log', { method: 'PUT', body: { level: 'loud' } })).body.error).to.equal(
      'level must be one of error, warn, info, debug',
    )
  })

  it('describes every route in an OpenAPI document', async () => {
    await start(NO_TOKENS)
    const { body } = await ask('/openapi.json')
    const paths = body.paths as Record<string, Record<string, { responses: Record<string, object> }>>
    for (const { url, method, answer } of server.routes) {
      const operation = paths[url.replace(/:(\w+)/, '{$1}')]?.[method.toLowerCase()]
      expect(operation, `${method} ${url}`).to.not.equal(undefined)
      if (answer !== undefined) expect(operation.responses).to.have.property('200')
    }
  })

  it('serves a page that asks nobody else for anything', async () => {
    await start(TOKENS)
    const { status, headers, text } = await ask('/')
    expect(status).to.equal(200)
    expect(headers['content-type']).to.equal('text/html; charset=utf-8')
    expect(headers['content-security-policy']).to.match(
      /default-src 'none'.*script-src 'self'.*connect-src 'self'.*frame-ancestors 'none'/,
    )
    const parts = [...text.matchAll(/(?:src|href)="(page\/[^"]+)"/g)].map(([, path]) => path)
    expect(parts).to.deep.equal(['page/style.css', 'page/page.js'])
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      const answer = await ask(`/${part}`)
      expect(answer.status, part).to.equal(200)
      expect(answer.headers['content-type']).to.match(/^text\/(css|javascript); charset=utf-8$/)
      expect(answer.text, part).not.to.match(/https?:\/\/(?!www\.w3\.org)/)
      parts.push(...[...answer.text.matchAll(/from '\.\/([^']+)'/g)].map(([, name]) => `page/${name}`))
    }
    expect(text).not.to.match(/(src|href)\s*=\s*["']?(https?:)?\/\//)
    expect((await ask('/page/index.html')).status).to.equal(404)
    expect((await ask('/page/..%2fstatus-page.ts')).status).to.equal(404)
  })
})

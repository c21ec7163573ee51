import { expect } from 'chai'
import { Access } from '../../../../src/adapters/http/access.js'
import { identifiers } from '../../../../src/application/identifiers.js'
import type { Limits } from '../../../../src/application/operations/limits.js'
import type { Reload, ReloadReport } from '../../../../src/application/operations/reload.js'
import type { Settings } from '../../../../src/application/settings.js'
import { Secret } from '../../../../src/domain/secret.js'
import { settle } from '../../../support/fake-byte-stream.js'
import { World } from '../../../support/fake-world.js'

describe('Reload', () => {
  let world: World
  let reload: Reload

  beforeEach(async () => {
    world = await World.start()
    reload = world.container.get<Reload>(identifiers.Reload)
  })
  afterEach(function () {
    world.expectNoComplaints(this)
  })

  it('applies what can be changed live, and names what needs a restart', () => {
    const { settings } = world
    const next = {
      ...settings,
      log: { ...settings.log, level: 'warn' as const },
      pool: { ...settings.pool, maxClientConnections: 7, maxUpstreamConnections: 3 },
    }
    const changed = [
      'listen.port',
      'pool.max_client_connections',
      'pool.max_upstream_connections',
      'log.level',
    ]
    expect(reload.apply(next, changed)).to.deep.equal({
      applied: changed.slice(1),
      needsRestart: ['listen.port'],
      refused: [],
    })
    const limits = world.container.get<Limits>(identifiers.Limits)
    expect([limits.clients.limit, limits.upstreamLimit]).to.deep.equal([7, 3])
    expect(limits.clients.history.map(({ who }) => who)).to.deep.equal(['reload'])
    expect(world.logger.level).to.equal('warn')
    expect(world.lines('configuration reloaded')).to.have.length(1)
  })

  it('lifts the client limit where the configuration has none any more', () => {
    const limits = world.container.get<Limits>(identifiers.Limits)
    limits.set(5, 'http')
    const report = reload.apply(world.settings, ['pool.max_client_connections'])
    expect(report.applied).to.deep.equal(['pool.max_client_connections'])
    expect(limits.clients.limit).to.equal(0)
    expect(limits.clients.history.map(({ who }) => who)).to.deep.equal(['http', 'reload'])
  })

  it('gives clients that come afterwards the new values', async () => {
    const next = { ...world.settings, client: { ...world.settings.client, channelMax: 9 } }
    reload.apply(next, ['client.channel_max'])
    const client = await world.connect()
    expect(client.offered!.channelMax).to.equal(9)
  })

  it('refuses a client limit below those who are in, says so with a warning, and applies the rest', async () => {
    await world.connect()
    world.dial()
    await settle()
    const next = {
      ...world.settings,
      pool: { ...world.settings.pool, maxClientConnections: 1, maxUpstreamConnections: 9 },
    }
    const report = reload.apply(next, ['pool.max_client_connections', 'pool.max_upstream_connections'])
    expect(report).to.deep.equal({
      applied: ['pool.max_upstream_connections'],
      needsRestart: [],
      refused: ['pool.max_client_connections: cannot set limit to 1 when 2 connections are active'],
    })
    const limits = world.container.get<Limits>(identifiers.Limits)
    expect([limits.clients.limit, limits.upstreamLimit]).to.deep.equal([0, 9])
    expect(limits.clients.history).to.deep.equal([])
    const [line] = world.lines('configuration reloaded, but for what was refused')
    expect(line).to.deep.include({ level: 'warn', fields: report })
  })

  it('changes a token for the callers that come afterwards, and takes none away', () => {
    const change = (settings: Settings['management']): ReloadReport =>
      reload.apply({ ...world.settings, management: settings }, ['management.token'])
    const access = new Access(world.settings.management)
    const ask = (token: string): number =>
      access.judge('change', {
        ...{ authorization: `Bearer ${token}`, host: 'localhost' },
        ...{ origin: undefined, fetchSite: undefined },
      })?.status ?? 200
    const { management } = world.settings
    expect(change({ ...management, token: new Secret('first-token') }).applied).to.have.length(1)
    expect([ask('first-token'), ask('second-token')]).to.deep.equal([200, 401])
    change({ ...management, token: new Secret('second-token') })
    expect([ask('first-token'), ask('second-token')]).to.deep.equal([401, 200])
    expect(change({ ...management, token: undefined }).needsRestart).to.deep.equal(['management.token'])
    expect([ask('none-of-them'), ask('second-token')]).to.deep.equal([401, 200])
  })
})

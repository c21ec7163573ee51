import 'reflect-metadata'
import { expect } from 'chai'
import { PrometheusMetrics } from '../../../../src/adapters/metrics/prometheus-metrics.js'
import { identifiers } from '../../../../src/application/identifiers.js'
import type { Overview } from '../../../../src/application/operations/overview.js'
import { settle } from '../../../support/fake-byte-stream.js'
import { World } from '../../../support/fake-world.js'

/** Series that a metric of a histogram or a counter of its own kind may have. */
const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})? (-?[0-9.e+-]+|NaN|\+Inf)$/

describe('PrometheusMetrics', () => {
  let world: World

  async function scrape(): Promise<string[]> {
    const metrics = new PrometheusMetrics()
    metrics.observe(world.container.get<Overview>(identifiers.Overview))
    return (await metrics.render()).split('\n').filter((line) => line !== '')
  }

  it('shows what there is in series with name, type, unit and help', async () => {
    world = await World.start({ settings: { pool: { maxClientConnections: 100 } } })
    const client = await world.connectWithChannels(1)
    client.publish(1, 'hello')
    await settle()
    const lines = await scrape()
    for (const series of [
      'warren_clients{state="open"} 1',
      'warren_client_limit 100',
      'warren_upstreams{state="open"} 1',
      'warren_upstream_channels{state="bound"} 1',
      'warren_pools{state="open"} 1',
      'warren_publishes_total 1',
      'warren_clients_accepted_total 1',
      'warren_vhost_clients{vhost="/"} 1',
      'warren_build_info{version="0.0.0"} 1',
    ])
      expect(lines).to.include(series)
  })

  it('is up to date at each scrape, and counts nothing twice', async () => {
    world = await World.start()
    const metrics = new PrometheusMetrics()
    metrics.observe(world.container.get<Overview>(identifiers.Overview))
    for (let clients = 1; clients <= 3; clients++) {
      await world.connect()
      const lines = (await metrics.render()).split('\n')
      expect(lines).to.include(`warren_clients{state="open"} ${clients}`)
      expect(lines).to.include(`warren_clients_accepted_total ${clients}`)
      expect(lines).to.include(`warren_vhost_clients{vhost="/"} ${clients}`)
    }
  })

  it('follows the conventions: one help and type for each name, counters end in _total, units are base units', async () => {
    world = await World.start()
    const lines = await scrape()
    const types = new Map(
      lines
        .filter((line) => line.startsWith('# TYPE '))
        .map((line) => line.split(' ').slice(2) as [string, string]),
    )
    expect(lines.filter((line) => line.startsWith('# HELP '))).to.have.length(types.size)
    for (const [name, type] of types) {
      if (name.startsWith('warren_') && type === 'counter') expect(name).to.match(/_total$/)
      if (type !== 'counter') expect(name).not.to.match(/_total$/)
      expect(name).not.to.match(/milliseconds|_ms|kilobytes/)
    }
    for (const line of lines.filter((text) => !text.startsWith('#'))) expect(line).to.match(LINE)
  })

  it('has as many series for 200 users and virtual hosts as for 60, and names no user', async () => {
    world = await World.start()
    const connect = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n++) await world.connect({ vhost: `vhost-${n}`, user: `user-${n}` })
    }
    await connect(0, 60)
    const before = await scrape()
    await connect(60, 200)
    const after = await scrape()
    const names = (lines: string[]): number => lines.filter((line) => line.startsWith('warren_')).length
    expect(names(after)).to.equal(names(before))
    expect(after.filter((line) => line.includes('user-'))).to.deep.equal([])
    expect(after).to.include('warren_vhost_clients{vhost="other"} 150')
  })

  it('counts a virtual host called other with the others', async () => {
    world = await World.start()
    for (let n = 0; n < 60; n++) await world.connect({ vhost: `v${n}` })
    for (let n = 0; n < 5; n++) await world.connect({ vhost: 'other' })
    expect(await scrape()).to.include('warren_vhost_clients{vhost="other"} 16')
  })

  it('has a series for each reason of a refusal before there is one, as rates need it', async () => {
    world = await World.start()
    const lines = await scrape()
    expect(lines.filter((line) => /^warren_clients_refused_total\{.*\} 0$/.test(line))).to.have.length(9)
    expect(lines).to.include('warren_pool_reconnects_total{outcome="failed"} 0')
    expect(lines).to.include('warren_kept_messages_total{event="dropped"} 0')
  })

  it('sums up what is beyond 50 virtual hosts', async () => {
    world = await World.start()
    for (let n = 0; n < 60; n++) await world.connect({ vhost: `v${n}` })
    const lines = (await scrape()).filter((line) => line.startsWith('warren_vhost_clients{'))
    expect(lines).to.have.length(51)
    expect(lines).to.include('warren_vhost_clients{vhost="other"} 10')
  })
})

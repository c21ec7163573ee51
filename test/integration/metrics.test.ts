import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { missingClient, systemCommand } from '../../scripts/client-packages.mjs'
import { blocksOf } from '../support/documents.js'
import { eventually } from '../support/eventually.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

const deployed = (name: string): string => fileURLToPath(new URL(`../../deploy/${name}`, import.meta.url))
const RULES = deployed('prometheus/alerts.yml')
const RULES_TEST = deployed('prometheus/alerts.test.yml')
const DASHBOARD = deployed('grafana/warren.json')

/** What one process alone doesn't have; workers.test.ts has seen it. */
const OF_WORKERS = ['warren_worker_crashes_total']

describe('metrics', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess
  let scraped: string
  const folder = join(tmpdir(), `warren-metrics-${process.pid}`)
  const scraping = join(folder, 'prometheus.yml')

  /** A Warren of which there is something to tell. */
  before(async () => {
    const documented = blocksOf('docs/operations.md').find(({ language }) => language === 'yaml')
    mkdirSync(folder)
    writeFileSync(scraping, documented!.text)
    broker = await sharedBroker()
    await broker.addUser('metrics', 'secret', { vhosts: ['/'] })
    warren = await WarrenProcess.start(broker.port, ['--pool-max-client-connections', '2'])
    const client = await WireClient.connect(warren.port, { user: 'metrics', password: 'secret' })
    await client.openChannel(1)
    const { queue } = await client.declareQueue(1)
    client.publish(1, { routingKey: queue, body: 'hello' })
    await eventually(() => client.get(1, queue))
    const other = await WireClient.connect(warren.port)
    const late = await WireClient.dial(warren.port)
    await late.closed
    other.method(0, 'connection.open-ok', {})
    await other.expectMethod('connection.close')
    scraped = await (await fetch(`http://127.0.0.1:${warren.managementPort}/metrics`)).text()
    other.reset()
    client.reset()
  })
  after(() => {
    rmSync(folder, { recursive: true })
    return warren?.stop()
  })

  /** What promtool says, if it isn't content. */
  async function promtool(args: string[], input = ''): Promise<string> {
    const child = spawn(systemCommand('promtool'), args, { stdio: 'pipe' })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    child.stdin.end(input)
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
    return code === 0 ? '' : `exit code ${code}: ${said}`
  }

  for (const [what, args, input] of [
    ['the metrics', ['check', 'metrics'], () => scraped],
    ['the alert rules', ['check', 'rules', RULES], () => ''],
    ['the scraping that is documented', ['check', 'config', '--syntax-only', scraping], () => ''],
    ['what the alert rules do', ['test', 'rules', RULES_TEST], () => ''],
  ] as const)
    it(`have no complaint of promtool's about ${what}`, async function () {
      const why = missingClient('promtool')
      if (why !== undefined) {
        console.log(`      ${why}`)
        this.skip()
      }
      expect(await promtool([...args], input())).to.equal('')
    })

  it('tell of clients, messages and refusals', () => {
    for (const series of [
      'warren_clients{state="open"} 1',
      'warren_client_limit 2',
      'warren_clients_refused_total{reason="client_limit"} 1',
      'warren_client_errors_total{code="504"} 1',
      'warren_publishes_total 1',
      'warren_gets_total 1',
      'warren_handshake_duration_seconds_count 2',
    ])
      expect(scraped.split('\n')).to.include(series)
  })

  for (const [what, file] of [
    ['the alert rules', RULES],
    ['the dashboard', DASHBOARD],
  ] as const)
    it(`have every name that ${what} ask for`, () => {
      const asked = readFileSync(file, 'utf8').match(/\b(warren|nodejs|process)_[a-z0-9_]+/g) ?? []
      // Some have a series only where there is something to count, such as a certificate.
      const there = [...scraped.matchAll(/^(?:# HELP )?([a-z0-9_]+)/gm)].map(([, name]) => name)
      expect([...there, ...OF_WORKERS]).to.include.members([...new Set(asked)])
    })
})

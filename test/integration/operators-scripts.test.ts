/** What operators are told to type, and to put into their scripts: each example of the description of run-time limits, word for word but for names and ports. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { missingClient } from '../../scripts/client-packages.mjs'
import { eventually } from '../support/eventually.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

const CTL = fileURLToPath(new URL('../../dist/ctl.js', import.meta.url))
/** As in the description: the port of the clients, and the one 1000 above it. */
const LISTEN = /\b9090\b/g
const MANAGEMENT = /\b10090\b/g

interface Result {
  code: number
  stdout: string
  stderr: string
}

describe("operators' scripts", function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess
  let clients: WireClient[]
  let folder: string

  before(async function () {
    const why = missingClient('curl, jq and bc')
    if (why !== undefined) {
      console.log(`      ${why}`)
      this.skip()
    }
    broker = await sharedBroker()
  })
  beforeEach(() => {
    clients = []
    folder = mkdtempSync(join(tmpdir(), 'warren-scripts-'))
  })
  afterEach(async () => {
    for (const client of clients) client.reset()
    rmSync(folder, { recursive: true })
    await warren?.stop()
  })

  /** Warren with this limit, and so many clients. */
  async function start(limit: number, active: number): Promise<void> {
    const port = await freePort()
    const handshake = ['--client-handshake-timeout', '120']
    const limits = limit === 0 ? [] : ['--pool-max-client-connections', String(limit)]
    warren = await WarrenProcess.start(broker.port, ['--listen-port', String(port), ...handshake, ...limits])
    for (let n = 0; n < active; n++) clients.push(await WireClient.dial(port))
    await eventually(async () => expect((await json('/stats')).active_connections).to.equal(active))
  }

  async function json(path: string): Promise<Record<string, unknown>> {
    const response = await fetch(`http://127.0.0.1:${warren.managementPort}${path}`)
    return (await response.json()) as Record<string, unknown>
  }

  const limit = async (): Promise<unknown> => (await json('/limit')).current_limit

  /** Runs a script of bash; `sleep` is what it does instead of waiting. */
  function bash(script: string, sleep = 'exit 0'): Promise<Result> {
    const text = `warrenctl() { '${process.execPath}' '${CTL}' "$@"; }
export -f warrenctl
sleep() { ${sleep}; }
${script.replace(LISTEN, String(warren.port)).replace(MANAGEMENT, String(warren.managementPort))}`
    return new Promise((resolve) => {
      execFile(
        'bash',
        // Whose bash it is makes no difference.
        ['--norc', '--noprofile', '-c', text],
        {
          env: { PATH: process.env['PATH'], LC_ALL: 'C', server_pid: String(warren.pid) },
          cwd: folder,
        },
        (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : (error.code as unknown as number), stdout, stderr }),
      )
    })
  }

  it('ask by HTTP', async () => {
    await start(1000, 45)
    // One builds on the other.
    const examples: [what: string, script: string, answer: object][] = [
      ['for health', 'curl -s http://localhost:10090/health', { status: 'healthy', service: 'warren' }],
      [
        'for statistics',
        'curl -s http://localhost:10090/stats',
        { active_connections: 45, max_connections: 1000, usage_percentage: 4.5, available_slots: 955 },
      ],
      [
        'for the limit',
        'curl -s http://localhost:10090/limit',
        { current_limit: 1000, active_connections: 45 },
      ],
      [
        'for another limit',
        `curl -s -X PUT http://localhost:10090/limit -H "Content-Type: application/json" -d '{"limit": 2000}'`,
        { status: 'success', new_limit: 2000, message: 'Connection limit updated to 2000' },
      ],
      [
        'for more',
        `warrenctl manager 9090 limit 1000 > /dev/null
         curl -s -X POST http://localhost:10090/limit/increase -H "Content-Type: application/json" -d '{"amount": 500}'`,
        {
          status: 'success',
          old_limit: 1000,
          new_limit: 1500,
          increase_amount: 500,
          message: 'Connection limit increased from 1000 to 1500',
        },
      ],
      [
        'for less',
        `curl -s -X POST http://localhost:10090/limit/decrease -H "Content-Type: application/json" -d '{"amount": 200}'`,
        {
          status: 'success',
          old_limit: 1500,
          new_limit: 1300,
          decrease_amount: 200,
          message: 'Connection limit decreased from 1500 to 1300',
        },
      ],
    ]
    for (const [what, script, answer] of examples) {
      const { code, stdout } = await bash(script)
      expect(code, what).to.equal(0)
      expect(JSON.parse(stdout), what).to.deep.equal(answer)
    }
  })

  it('ask by warrenctl', async () => {
    await start(1000, 45)
    const examples: [script: string, output: string][] = [
      [
        'warrenctl manager 9090 status',
        'Current Limit: 1000\nActive Connections: 45\nUsage Percentage: 4.5%\n',
      ],
      [
        'warrenctl manager 9090 stats',
        'Active Connections: 45\nMax Connections: 1000\nUsage Percentage: 4.5%\nAvailable Slots: 955\n',
      ],
      ['warrenctl manager 9090 limit 2000', 'Connection limit updated to 2000\n'],
      ['warrenctl manager 9090 increase 500', 'Connection limit increased from 2000 to 2500\n'],
      ['warrenctl manager 9090 decrease 200', 'Connection limit decreased from 2500 to 2300\n'],
      ['warrenctl manager 9090 health', 'Status: healthy\nService: warren\nReady: yes\n'],
    ]
    for (const [script, output] of examples)
      expect(await bash(script), script).to.deep.equal({ code: 0, stdout: output, stderr: '' })
  })

  it('send signals', async () => {
    await start(1000, 0)
    expect((await bash('kill -USR1 $server_pid')).code).to.equal(0)
    await eventually(async () => expect(await limit()).to.equal(1100))
    expect((await bash('kill -USR2 $server_pid')).code).to.equal(0)
    await eventually(async () => expect(await limit()).to.equal(1000))
  })

  it('go up for the peak and down afterwards', async () => {
    await start(1000, 3)
    const { stdout, code } = await bash(`
# Monitor usage
warrenctl manager 9090 stats

# Scale up during peak hours
warrenctl manager 9090 increase 500

# Scale down during off-peak
warrenctl manager 9090 decrease 300
`)
    expect(code).to.equal(0)
    expect(stdout).to.equal(
      'Active Connections: 3\nMax Connections: 1000\nUsage Percentage: 0.3%\nAvailable Slots: 997\n' +
        'Connection limit increased from 1000 to 1500\nConnection limit decreased from 1500 to 1200\n',
    )
  })

  it('raise the limit for a test and put it back', async () => {
    await start(100, 3)
    const { stdout } = await bash('warrenctl manager 9090 limit 1000\nwarrenctl manager 9090 limit 100')
    expect(stdout).to.equal('Connection limit updated to 1000\nConnection limit updated to 100\n')
  })

  it('scale by themselves', async () => {
    await start(50, 45)
    const loop = `#!/bin/bash
# Auto-scale based on usage

while true; do
    # Get current usage
    usage=$(curl -s http://localhost:10090/stats | jq -r '.usage_percentage')

    if (( $(echo "$usage > 80" | bc -l) )); then
        echo "High usage detected: \${usage}%"
        curl -X POST http://localhost:10090/limit/increase \\
             -H "Content-Type: application/json" \\
             -d '{"amount": 200}'
    elif (( $(echo "$usage < 30" | bc -l) )); then
        echo "Low usage detected: \${usage}%"
        curl -X POST http://localhost:10090/limit/decrease \\
             -H "Content-Type: application/json" \\
             -d '{"amount": 100}'
    fi

    sleep 60
done`
    const { code, stdout } = await bash(loop, 'echo; (( ++rounds < 3 )) || exit 0')
    expect(code).to.equal(0)
    expect(stdout.split('\n')).to.deep.equal([
      'High usage detected: 90%',
      '{"status":"success","old_limit":50,"new_limit":250,"increase_amount":200,"message":"Connection limit increased from 50 to 250"}',
      'Low usage detected: 18%',
      '{"status":"success","old_limit":250,"new_limit":150,"decrease_amount":100,"message":"Connection limit decreased from 250 to 150"}',
      '',
      '',
    ])
    expect(await limit()).to.equal(150)
  })

  describe('get told', () => {
    it('that a limit is below the clients that are in, with status 409', async () => {
      await start(1000, 750)
      const put = `curl -s -w '%{http_code}' -X PUT http://localhost:10090/limit -H 'Content-Type: application/json' -d '{"limit": 500}'`
      const text = 'cannot set limit to 500 when 750 connections are active'
      expect((await bash(put)).stdout).to.equal(`{"error":"${text}","status":"failed"}409`)
      expect(await bash('warrenctl manager 9090 limit 500')).to.deep.equal({
        code: 1,
        stdout: '',
        stderr: `Error: ${text}\n`,
      })
      expect(await json('/limit')).to.deep.equal({ current_limit: 1000, active_connections: 750 })
    })

    it('that a limit is positive, with status 400', async () => {
      await start(1000, 0)
      const put = `curl -s -w '%{http_code}' -X PUT http://localhost:10090/limit -H 'Content-Type: application/json' -d '{"limit": 0}'`
      const text = 'connection limit must be positive'
      expect((await bash(put)).stdout).to.equal(`{"error":"${text}","status":"failed"}400`)
      for (const wrong of ['0', '-5', 'many', '1.5'])
        expect(await bash(`warrenctl manager 9090 limit ${wrong.replace(/^-/, '-- -')}`)).to.include({
          code: 2,
          stderr: `Error: ${text}: a whole number above 0, or "none" for no limit; not "${wrong}"\n`,
        })
    })

    it('that there is no server', async () => {
      await start(1000, 0)
      await warren.stop()
      const { code, stdout, stderr } = await bash('warrenctl manager 9090 status')
      expect({ code, stdout }).to.deep.equal({ code: 69, stdout: '' })
      expect(stderr).to.equal(
        `Error: Failed to connect to management server: connection refused (http://127.0.0.1:${warren.managementPort})\n`,
      )
    })
  })

  describe('raise an alarm', () => {
    it('when usage exceeds 80 %', async () => {
      await start(50, 45)
      const { stdout } = await bash(`# Alert when usage exceeds 80%
usage=$(warrenctl manager 9090 stats | grep "Usage Percentage" | awk '{print $3}' | sed 's/%//')
if (( $(echo "$usage > 80" | bc -l) )); then
    echo "WARNING: High connection usage: \${usage}%"
    # Send alert via email, Slack, etc.
fi`)
      expect(stdout).to.equal('WARNING: High connection usage: 90%\n')
    })

    it('when the limit changes', async () => {
      await start(1000, 0)
      const script = `# Alert when limit changes
old_limit=$(warrenctl manager 9090 status | grep "Current Limit" | awk '{print $3}')
sleep 60
new_limit=$(warrenctl manager 9090 status | grep "Current Limit" | awk '{print $3}')
if [ "$old_limit" != "$new_limit" ]; then
    echo "INFO: Connection limit changed from $old_limit to $new_limit"
fi`
      expect((await bash(script, 'true')).stdout).to.equal('')
      const change = `warrenctl manager ${warren.port} increase 250 > /dev/null`
      expect((await bash(script, change)).stdout).to.equal(
        'INFO: Connection limit changed from 1000 to 1250\n',
      )
    })
  })

  it('are written in advance', async () => {
    await start(500, 0)
    const { stdout, code } = await bash(`# Pre-configure scaling scripts
cat > scale_up.sh << 'EOF'
#!/bin/bash
warrenctl manager 9090 increase 200
echo "$(date): Increased connection limit"
EOF

cat > scale_down.sh << 'EOF'
#!/bin/bash
warrenctl manager 9090 decrease 100
echo "$(date): Decreased connection limit"
EOF
bash scale_up.sh && bash scale_down.sh`)
    expect(code).to.equal(0)
    expect(stdout).to.match(
      /^Connection limit increased from 500 to 700\n.*: Increased connection limit\nConnection limit decreased from 700 to 600\n.*: Decreased connection limit\n$/,
    )
  })

  it('ask again and again', async () => {
    await start(1000, 0)
    const { stdout, code } = await bash(`
time for i in {1..5}; do
    warrenctl manager 9090 status > /dev/null || exit 1
done
time warrenctl manager 9090 increase 100`)
    expect(code).to.equal(0)
    expect(stdout).to.equal('Connection limit increased from 1000 to 1100\n')
  })
})

/** A port that is free, and so is the one 1000 above it. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    if ((await isFree(port)) && (await isFree(port + 1000))) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  const outcome = await Promise.race([
    once(server, 'listening').then(() => (server.address() as AddressInfo).port === port),
    once(server, 'error').then(() => false),
  ])
  server.close()
  return outcome
}

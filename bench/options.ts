/** The command line of the benchmark. */
import { parseArgs } from 'node:util'
import { type ExtraTarget, parseExtraTarget } from './targets/target.js'
import type { UpstreamName } from './upstreams/upstream.js'
import { chosenWorkloads, type Workload, workloads } from './workloads.js'

export const USAGE = `npm run bench -- [options] [NAME=host:port,pid ...]

  --workloads LIST     of ${workloads.map((workload) => workload.name).join(', ')}; 'publish' is all three (default: all)
  --upstream WHICH     sink, rabbitmq or both (default: sink)
  --rounds N           measured rounds for each target and workload (default: 5)
  --seconds S          about how long a round lasts (default: 1.5)
  --scale F            multiplies --seconds and the warm-up rounds
  --connections N      client connections, instead of each workload's own number
  --close-channels     sessions of 'churn' close their channel before the connection
  --smoke              one round of 0.2 s: does everything work?
  --without LIST       leave out these targets: warren, haproxy
  --warren-args ARGS   more arguments for Warren, separated by spaces
  --sink-port P        the sink's port, for extra targets that are to stand before it
  --rabbitmq URL,PID   a RabbitMQ that runs already, instead of a private one
  --json FILE          every round as JSON
  --no-build           use dist/ as it is

An extra target is a proxy that runs already; with --upstream both say which it stands before: NAME@sink=..., NAME@rabbitmq=...`

export interface Options {
  workloads: Workload[]
  upstreams: UpstreamName[]
  rounds: number
  seconds: number
  scale: number
  connections?: number
  closeChannels: boolean
  without: string[]
  warrenArguments: string[]
  sinkPort: number
  rabbitMq?: { url: string; pid: number }
  json?: string
  extraTargets: ExtraTarget[]
}

const SMOKE = { rounds: '1', seconds: '0.2', scale: '1', warmUp: 0.02 }

/** Nothing if only the usage was asked for. */
export function parseOptions(args: string[]): Options | undefined {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      workloads: { type: 'string' },
      upstream: { type: 'string', default: 'sink' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      scale: { type: 'string' },
      connections: { type: 'string' },
      'close-channels': { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
      without: { type: 'string', default: '' },
      'warren-args': { type: 'string', default: '' },
      'sink-port': { type: 'string', default: '0' },
      rabbitmq: { type: 'string' },
      json: { type: 'string' },
      'no-build': { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) return undefined
  const smoke = values.smoke ? SMOKE : undefined
  const scale = number('scale', values.scale ?? '1')
  const options: Options = {
    workloads: chosenWorkloads(list(values.workloads ?? workloads.map((workload) => workload.name).join())),
    upstreams: upstreams(values.upstream),
    rounds: number('rounds', values.rounds ?? smoke?.rounds ?? '5'),
    seconds: number('seconds', values.seconds ?? smoke?.seconds ?? '1.5') * scale,
    scale: scale * (smoke?.warmUp ?? 1),
    closeChannels: values['close-channels'],
    without: list(values.without),
    warrenArguments: values['warren-args'].split(' ').filter(Boolean),
    sinkPort: Number(values['sink-port']),
    extraTargets: positionals.map(parseExtraTarget),
  }
  if (values.connections) options.connections = number('connections', values.connections)
  if (values.rabbitmq) options.rabbitMq = runningBroker(values.rabbitmq)
  if (values.json) options.json = values.json
  const ambiguous = options.extraTargets.find((target) => !target.upstream)
  if (ambiguous && options.upstreams.length > 1) {
    throw new Error(`say ${ambiguous.name}@sink=... or ${ambiguous.name}@rabbitmq=...`)
  }
  return options
}

function upstreams(value: string): UpstreamName[] {
  if (value === 'both') return ['sink', 'rabbitmq']
  if (value === 'sink' || value === 'rabbitmq') return [value]
  throw new Error(`--upstream is sink, rabbitmq or both, not '${value}'`)
}

function number(name: string, text: string): number {
  const value = Number(text)
  if (value > 0) return value
  throw new Error(`--${name} is a number over 0, not '${text}'`)
}

function list(text: string): string[] {
  return text.split(',').filter(Boolean)
}

function runningBroker(text: string): { url: string; pid: number } {
  const [url, pid] = text.split(',')
  if (!URL.canParse(url) || !Number(pid)) throw new Error(`--rabbitmq is URL,PID, not '${text}'`)
  return { url, pid: Number(pid) }
}

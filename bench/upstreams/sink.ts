/** Starts the sink broker. */
import { fileURLToPath } from 'node:url'
import { cpuTime } from '../processes/cpu-time.js'
import { startScript } from '../processes/started-process.js'
import type { SinkStats } from '../sink/sink-connection.js'
import type { Upstream } from './upstream.js'

const SCRIPT = fileURLToPath(new URL('../sink-broker.ts', import.meta.url))
const TIMEOUT_MS = 10_000

export async function startSink(port: number): Promise<Upstream> {
  const sink = startScript('sink', SCRIPT, ['--end-with-stdin', '--port', String(port)])
  const listening = await sink.next<{ port: number }>('listening', TIMEOUT_MS)
  return {
    name: 'sink',
    port: listening.port,
    user: 'guest',
    password: 'guest',
    cpuTime: () => cpuTime(sink.pid),
    stats: () => {
      sink.send('stats')
      return sink.next<SinkStats>('stats', TIMEOUT_MS)
    },
    stop: () => sink.stop(),
  }
}

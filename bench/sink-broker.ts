/**
 * A broker that costs next to nothing, so that what a proxy in front of it costs can be seen.
 *
 *     node --import tsx bench/sink-broker.ts [--port N] [--end-with-stdin]
 *
 * Prints `{"event":"listening","port":…,"pid":…}`, and its statistics for each line `stats` on stdin and each
 * SIGUSR2.
 */
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { SinkConnection, type SinkStats } from './sink/sink-connection.js'

const HEARTBEAT_INTERVAL_MS = 20_000

const { values } = parseArgs({
  options: { port: { type: 'string', default: '0' }, 'end-with-stdin': { type: 'boolean' } },
})
const stats: SinkStats = { connections: 0, channels: 0, publishes: 0, acks: 0, deliveries: 0 }
const connections = new Set<SinkConnection>()

const server = createServer({ noDelay: true }, (socket) => {
  const connection = new SinkConnection(socket, stats)
  connections.add(connection)
  socket.on('data', (chunk) => connection.receive(chunk, chunk.length))
  socket.on('error', () => socket.destroy())
  socket.on('close', () => {
    connection.closed()
    connections.delete(connection)
  })
})

server.listen(Number(values.port), '127.0.0.1', 4096, () => {
  const { port } = server.address() as AddressInfo
  print({ event: 'listening', port, pid: process.pid })
})

setInterval(() => {
  for (const connection of connections) connection.heartbeat()
}, HEARTBEAT_INTERVAL_MS)

process.on('SIGUSR2', () => print({ event: 'stats', ...stats }))

createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (line.trim() === 'stats') print({ event: 'stats', ...stats })
  })
  .on('close', () => {
    if (values['end-with-stdin']) process.exit(0)
  })

function print(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

/** Finding a free port, and waiting for somebody to listen on it. */
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { StartedProcess } from './started-process.js'

const POLL_MS = 50

/** A free port; `alsoFree` more than it is free as well. */
export async function freePort(alsoFree = 0): Promise<number> {
  for (;;) {
    const port = await tryPort(0)
    if (port && (alsoFree === 0 || (await tryPort(port + alsoFree)))) return port
  }
}

/** Resolves when the process accepts connections; fails when it ends first. */
export async function listening(
  name: string,
  one: StartedProcess,
  port: number,
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await accepts(port))) {
    if (!one.alive) throw new Error(`${name} has ended: ${one.lastOutput || 'no output'}`)
    if (Date.now() > deadline)
      throw new Error(`${name} doesn't listen on ${port}: ${one.lastOutput || 'no output'}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.on('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => {
      const taken = (server.address() as AddressInfo).port
      server.close(() => resolve(taken))
    })
  })
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

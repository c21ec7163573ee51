/**
 * Takes the signals that Warren gives a meaning of its own, from the first moment on: without a listener SIGUSR1 opens Node's inspector,
 * a door for debuggers, and the other two end the process. What comes before the program listens is ignored.
 */
import inspector from 'node:inspector'

for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGHUP'] as const) process.on(signal, () => undefined)

const endings = [
  ['SIGTERM', () => process.exit(128 + 15)],
  ['SIGINT', () => process.exit(128 + 2)],
] as const

/** For process 1 of a container the kernel drops signals that nobody listens to, so that one could not be stopped while it starts or waits for its journal. */
if (process.pid === 1) for (const [signal, end] of endings) process.on(signal, end)

const IS_WANTED = /--inspect/.test([...process.execArgv, process.env['NODE_OPTIONS']].join(' '))

/** A SIGUSR1 that came before any of this was loaded has opened the inspector: unless Node.js was asked for it, it's closed. */
function closeInspector(): void {
  if (!IS_WANTED && inspector.url() !== undefined) inspector.close()
}
closeInspector()

/** To be called once the program ends in order by itself. */
export function leaveEndingsToProgram(): void {
  for (const [signal, end] of endings) process.off(signal, end)
  // It may have been on its way.
  closeInspector()
}

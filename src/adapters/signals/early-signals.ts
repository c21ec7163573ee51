/**
 * Takes the signals that Warren gives a meaning of its own, from the first moment on: without a listener SIGUSR1 opens Node's inspector,
 * a door for debuggers, and the other two end the process. What comes before the program listens is ignored.
 */
for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGHUP'] as const) process.on(signal, () => undefined)

const endings = [
  ['SIGTERM', () => process.exit(128 + 15)],
  ['SIGINT', () => process.exit(128 + 2)],
] as const

/** For process 1 of a container the kernel drops signals that nobody listens to, so that one could not be stopped while it starts or waits for its journal. */
if (process.pid === 1) for (const [signal, end] of endings) process.on(signal, end)

/** To be called once the program ends in order by itself. */
export function leaveEndingsToProgram(): void {
  for (const [signal, end] of endings) process.off(signal, end)
}

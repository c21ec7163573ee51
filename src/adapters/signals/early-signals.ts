/**
 * Takes the signals that Warren gives a meaning of its own, from the first moment on: without a listener SIGUSR1 opens Node's inspector,
 * a door for debuggers, and the other two end the process. What comes before the program listens is ignored.
 */
for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGHUP'] as const) process.on(signal, () => undefined)

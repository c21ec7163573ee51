/** Tells of the signals that ask Warren to stop, or to change something. */

/** A signal that means "stop". */
export type ShutdownSignal = 'SIGTERM' | 'SIGINT'

/** What this needs of Node's `process`. */
export interface SignalSource {
  on(signal: ShutdownSignal, listener: (signal: ShutdownSignal) => void): unknown
  off(signal: ShutdownSignal, listener: (signal: ShutdownSignal) => void): unknown
}

const shutdownSignals: readonly ShutdownSignal[] = ['SIGTERM', 'SIGINT']

/**
 * Calls `first` at the first SIGTERM or SIGINT, and `second` at each one after it, whichever of the two it is. Returns a
 * function that stops this, after which the signals end the process again as usual; it can be called twice.
 */
export function onShutdownSignal(
  process: SignalSource,
  first: (signal: ShutdownSignal) => void,
  second: (signal: ShutdownSignal) => void,
): () => void {
  let asked = false
  const listener = (signal: ShutdownSignal): void => {
    const callback = asked ? second : first
    asked = true
    callback(signal)
  }
  for (const signal of shutdownSignals) process.on(signal, listener)
  return () => {
    for (const signal of shutdownSignals) process.off(signal, listener)
  }
}

/** A signal that changes something and stops nothing. */
export type ControlSignal = 'SIGUSR1' | 'SIGUSR2' | 'SIGHUP'

/** What each of them does. */
export interface ControlSignalHandlers {
  /** SIGUSR1: the client limit goes up. */
  raiseLimit(): void
  /** SIGUSR2: the client limit goes down. */
  lowerLimit(): void
  /** SIGHUP: what can be changed live is read anew. */
  reload(): void
}

/** Calls the handler at each signal. */
export function onControlSignal(
  process: { on(signal: ControlSignal, listener: () => void): unknown },
  handlers: ControlSignalHandlers,
): void {
  process.on('SIGUSR1', () => handlers.raiseLimit())
  process.on('SIGUSR2', () => handlers.lowerLimit())
  process.on('SIGHUP', () => handlers.reload())
}

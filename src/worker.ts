/** A worker: one of the processes that a supervisor (supervisor-program.ts) starts. Signals are taken care of before anything else is loaded. */
import './adapters/signals/early-signals.js'
import './garbage-collection.js'
import './adapters/signals/supervised-signals.js'

await import('./programs/worker-program.js')

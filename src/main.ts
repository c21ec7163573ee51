#!/usr/bin/env node
/** The program. Signals are taken care of before anything else is loaded: see early-signals.ts. */
import './adapters/signals/early-signals.js'
import './garbage-collection.js'

await import('./programs/program.js')

#!/usr/bin/env node
/** warrenctl: looks at a running Warren and changes it, through its management server. */
import { run } from './adapters/cli/run.js'
import { version } from './version.js'

// `warrenctl clients | head` is no error: who reads has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

process.exitCode = await run({
  argv: process.argv.slice(2),
  env: process.env,
  version,
  write: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
  isTerminal: process.stdout.isTTY,
})

#!/usr/bin/env node
/** warrenctl: looks at a running Warren and changes it, through its management server. */
import { run } from './adapters/cli/run.js'
import { version } from './product.js'
import { endWithReader } from './programs/reader.js'

endWithReader(process.stdout)

process.exitCode = await run({
  argv: process.argv.slice(2),
  env: process.env,
  version,
  write: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
  isTerminal: process.stdout.isTTY,
})

/**
 * Warren in one command: `npm run quickstart`. Installs and builds what is missing, then runs scripts/quickstart/main.ts.
 * That is a process of its own, which ends Warren and RabbitMQ in good order when this one gets a signal or is gone.
 */
import { readdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { run } from './commands.mjs'
import { installDependencies, requireNode } from './dependencies.mjs'

const USAGE = `npm run quickstart             shows Warren at work in front of a RabbitMQ, and stays up
npm run quickstart -- --once   the same, but ends after the demonstration

It uses the broker of AMQP_UPSTREAM_URL (amqp://user:password@host:5672/vhost), or else one on localhost, or else
it starts a private one: from an installed rabbitmq-server, from Docker, or from Debian's packages. Warren listens on AMQP_LISTEN_PORT, or else on 5673 if that is free; its status page is
on AMQP_MANAGEMENT_PORT, or else on the port 1000 above.`

/** Warren lets its clients finish before it ends, and after it RabbitMQ takes some seconds. */
const PATIENCE_MS = 45_000

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
process.exitCode = await main(process.argv.slice(2))

async function main(args) {
  const unknown = args.filter((arg) => !['--once', '--help'].includes(arg))
  if (unknown.length > 0 || args.includes('--help')) {
    console.log(unknown.length > 0 ? `Unknown: ${unknown.join(' ')}\n\n${USAGE}` : USAGE)
    return unknown.length > 0 ? 2 : 0
  }
  try {
    requireNode()
    await installDependencies()
    await build()
  } catch (error) {
    console.error(error.message)
    return 1
  }
  const program = ['--import', 'tsx', 'scripts/quickstart/main.ts', ...args]
  const { code } = await run(process.execPath, program, { channel: true, patienceMs: PATIENCE_MS })
  return code
}

async function build() {
  if (isBuilt()) return
  console.log('Building Warren')
  const { code, output } = await run('npm', ['run', '--silent', 'build'], { quiet: true, signalGroup: true })
  if (code !== 0) throw new Error(`The build failed:\n${output.trim()}`)
}

/** Whether each source file has a newer compiled one. */
function isBuilt() {
  return readdirSync('src', { recursive: true })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .every((path) => {
      const compiled = statSync(`dist/${path.replace(/\.ts$/, '.js')}`, { throwIfNoEntry: false })
      return compiled !== undefined && compiled.mtimeMs >= statSync(`src/${path}`).mtimeMs
    })
}

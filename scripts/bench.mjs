/** Builds Warren and runs the benchmark: `npm run bench -- --help`. */
import { spawn } from 'node:child_process'

const args = process.argv.slice(2)
let child

/** Runs a command to its end; resolves to its exit code. */
function run(command, commandArguments) {
  return new Promise((resolve, reject) => {
    child = spawn(command, commandArguments, { stdio: 'inherit' })
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}

// The benchmark ends what it started; this process only waits for it.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child?.kill(signal))

const needsBuild = !args.includes('--no-build') && !args.includes('--help')
const built = needsBuild ? await run('npm', ['run', '--silent', 'build']) : 0
if (built !== 0) console.error('the build failed; --no-build measures what is in dist/')
process.exitCode = built || (await run(process.execPath, ['--import', 'tsx', 'bench/run.ts', ...args]))

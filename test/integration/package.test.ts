/** The npm package, as a stranger gets it: packed, installed into an empty folder, and run from there. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { sharedBroker } from '../support/shared-broker.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Without what `npm test` tells its children of the project that it runs in; settings such as the registry stay. */
function environment(): NodeJS.ProcessEnv {
  const ofThisRun = /^npm_(package|lifecycle|config_local_prefix|config_prefix|command)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ofThisRun.test(name)))
}

function run(command: string, args: readonly string[], cwd: string): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env: environment(), timeout: 300_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr })
    })
  })
}

describe('the npm package', function () {
  this.timeout(400_000)
  let folder: string
  let packed: string[]
  let warren: ChildProcess | undefined
  const bin = (name: string): string => join(folder, 'node_modules/.bin', name)

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'warren-package-'))
    const pack = await run(
      'npm',
      ['pack', '--ignore-scripts', '--json', '--loglevel=error', '--pack-destination', folder],
      ROOT,
    )
    expect(pack.code, pack.stderr).to.equal(0)
    const answer = JSON.parse(pack.stdout) as Record<string, unknown>
    // A list of packages, or since npm 11.5 also an object by name.
    const [{ filename, files }] = Object.values(answer) as { filename: string; files: { path: string }[] }[]
    packed = files.map(({ path }) => path)
    const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
    const install = await run(
      'npm',
      ['install', '--prefix', folder, ...quiet, join(folder, filename)],
      folder,
    )
    expect(install.code, install.stderr).to.equal(0)
  })

  after(() => {
    warren?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  it('holds the programs, the library with its types, and what deploying needs, but no sources, tests or source maps', () => {
    for (const path of [
      'dist/main.js',
      'dist/ctl.js',
      'dist/index.js',
      'dist/index.d.ts',
      'LICENSE',
      'README.md',
    ])
      expect(packed).to.include(path)
    expect(packed).to.include('dist/adapters/http/status-page/index.html')
    const unwanted = packed.filter((path) => /^(src|test|bench|scripts)\/|\.map$|node_modules/.test(path))
    expect(unwanted).to.deep.equal([])
  })

  it('answers --version and --check', async () => {
    expect(await run(bin('warren'), ['--version'], folder)).to.include({ code: 0, stdout: `${version}\n` })
    expect(await run(bin('warren'), ['--check'], folder)).to.include({
      code: 0,
      stdout: 'configuration ok\n',
    })
    const wrong = await run(bin('warren'), ['--check', '--listen-port', '70000'], folder)
    expect(wrong.code).to.equal(78)
  })

  it('runs, and its warrenctl finds it ready', async () => {
    const broker = await sharedBroker()
    const args = ['--listen-address', '127.0.0.1', '--listen-port', '0', '--log-format', 'json']
    warren = spawn(bin('warren'), [...args, `amqp://127.0.0.1:${broker.port}`], {
      cwd: folder,
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let managementPort = 0
    for await (const text of createInterface(warren.stdout!)) {
      const line = JSON.parse(text) as { message: string; port: number }
      if (line.message === 'management server listening') managementPort = line.port
      if (line.message === 'listening') break
    }
    const ctl = (...words: string[]): Promise<Ended> =>
      run(bin('warrenctl'), ['--port', String(managementPort), ...words], folder)
    expect(await ctl('health')).to.include({ code: 0, stderr: '' })
    expect(JSON.parse((await ctl('--json', 'limit', '250')).stdout)).to.include({ new_limit: 250 })
    const exit = once(warren, 'exit')
    warren.kill('SIGTERM')
    expect(await exit).to.deep.equal([0, null])
  })

  it('can be imported by JavaScript and by TypeScript', async () => {
    const program = `import { createWarren, loadSettings } from 'warren'
const argv = ['--listen-address', '127.0.0.1', '--listen-port', '0', '--log-level', 'error', 'amqp://127.0.0.1:1']
const warren = createWarren(loadSettings({ argv, env: {}, cwd: '.' }).settings)
const { plain, management } = await warren.start()
console.log(JSON.stringify({ ports: [(plain?.port ?? 0) > 0, (management?.port ?? 0) > 0], ...(await warren.shutDown()) }))
`
    writeFileSync(join(folder, 'program.mjs'), program)
    const { stdout, stderr } = await run(process.execPath, ['program.mjs'], folder)
    expect(JSON.parse(stdout || '{}'), stderr).to.deep.equal({
      ports: [true, true],
      closedClients: 0,
      cutOff: 0,
      buffered: 0,
    })
    // The same, and a line that only compiles while the types are there: `any` would take it.
    writeFileSync(join(folder, 'program.mts'), `${program}// @ts-expect-error\nwarren.start('now')\n`)
    // Nothing that Warren's types need may be missing from what the package brings; the types of Node.js alone are for the program to have.
    for (const name of ['node_modules/@types/node', 'node_modules/undici-types'])
      if (!existsSync(join(folder, name))) symlinkSync(join(ROOT, name), join(folder, name))
    const types = ['--types', 'node', '--preserveSymlinks', '--skipLibCheck', 'false']
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023']
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    const compiled = await run(process.execPath, [tsc, ...options, ...types, 'program.mts'], folder)
    expect(compiled.stdout).to.equal('')
    expect(compiled.code).to.equal(0)
  })
})

/** What has to be there before anything of this project runs: the right Node, and the packages of package-lock.json. */
import { readFileSync } from 'node:fs'
import { run } from './commands.mjs'

const read = (path) => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'))

/** Throws where this Node is older than what package.json asks for. */
export function requireNode() {
  const wanted = read('package.json').engines.node.replace(/^>=\s*/, '')
  if (process.versions.node.localeCompare(wanted, 'en', { numeric: true }) < 0)
    throw new Error(`Node ${wanted} or later is needed; this is ${process.versions.node}.`)
}

/** Runs `npm ci` where node_modules does not hold what package-lock.json lists. */
export async function installDependencies() {
  if (areInstalled()) return
  console.log('Installing dependencies (npm ci)')
  const flags = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  const { code, output } = await run('npm', ['ci', ...flags], { quiet: true, signalGroup: true })
  if (code !== 0) throw new Error(`npm ci failed:\n${output.trim()}`)
}

/** npm writes what it has installed into node_modules, as the last step. */
function areInstalled() {
  let installed
  try {
    installed = read('node_modules/.package-lock.json').packages
  } catch {
    return false
  }
  return Object.entries(read('package-lock.json').packages).every(([path, wanted]) => {
    const found = installed[path]
    // Optional packages are those of other platforms.
    if (found === undefined) return path === '' || wanted.optional === true
    return found.version === wanted.version && found.integrity === wanted.integrity
  })
}

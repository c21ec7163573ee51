// Debian's package manager, for what the tests need from outside npm.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Whether this system has apt-get at all. */
export function hasAptGet() {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => existsSync(join(directory, 'apt-get')))
}

/** Runs apt-get to its end without questions; throws with its last words when it fails. */
export function aptGet(...args) {
  const run = spawnSync('apt-get', ['-q', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (run.status === 0) return
  const why = run.error?.message ?? run.stderr.trim().split('\n').slice(-3).join(' / ')
  throw new Error(`apt-get ${args.join(' ')} failed: ${why}`)
}

// Debian's package manager, for what the tests need from outside npm.
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const POLICY = '/usr/sbin/policy-rc.d'
/** Exit status with which a policy-rc.d forbids the action. */
const FORBIDDEN = 101

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

/**
 * Runs the work under a policy-rc.d that forbids package scripts to start services. A policy that the system already
 * has is never replaced: it must forbid the start by itself, as those in container images do.
 */
export function withoutServiceStart(service, work) {
  if (existsSync(POLICY)) {
    if (spawnSync(POLICY, [service, 'start']).status === FORBIDDEN) return work()
    throw new Error(`${POLICY} of this system would start ${service}`)
  }
  const remove = () => rmSync(POLICY, { force: true })
  writeFileSync(POLICY, `#!/bin/sh\nexit ${FORBIDDEN}\n`, { mode: 0o755, flag: 'wx' })
  process.once('exit', remove)
  try {
    return work()
  } finally {
    remove()
    process.off('exit', remove)
  }
}

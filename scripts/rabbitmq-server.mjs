// Finds an installed rabbitmq-server, or installs the distribution's package without starting its service.
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { aptGet, hasAptGet, withoutServiceStart } from './apt.mjs'

/** @returns the sbin directory of the installed rabbitmq-server (RABBITMQ_SBIN goes first), or undefined. */
export function findRabbitMq() {
  const own = process.env.RABBITMQ_SBIN
  if (own) {
    if (!isSbin(own)) throw new Error(`RABBITMQ_SBIN=${own} holds no rabbitmq-server and rabbitmq-env.`)
    return own
  }
  return [
    ...versionsUnder('/usr/lib/rabbitmq/lib'),
    '/opt/rabbitmq/sbin',
    '/opt/homebrew/opt/rabbitmq/sbin',
    '/usr/local/opt/rabbitmq/sbin',
    ...(process.env.PATH ?? '').split(delimiter).filter(Boolean),
  ].find(isSbin)
}

/**
 * Makes sure that a rabbitmq-server is installed; where there is none, root on a system with apt-get gets one.
 * The package's own service is never started.
 * @returns the sbin directory of the installed rabbitmq-server.
 */
export function ensureRabbitMq() {
  const found = findRabbitMq()
  if (found) {
    console.log(`RabbitMQ: using ${found}`)
    return found
  }
  const missing =
    'No rabbitmq-server found: install RabbitMQ 3.8 or later, or set RABBITMQ_SBIN to its sbin directory'
  if (process.getuid?.() !== 0)
    throw new Error(`${missing} (as root on Debian or Ubuntu: apt-get install rabbitmq-server).`)
  if (!hasAptGet()) throw new Error(`${missing}.`)

  console.log('RabbitMQ: not installed, installing the rabbitmq-server package with apt-get')
  try {
    aptGet('update')
    withoutServiceStart('rabbitmq-server', () =>
      aptGet('install', '-y', '--no-install-recommends', 'rabbitmq-server'),
    )
  } catch (error) {
    throw new Error(`${error.message}. Install rabbitmq-server yourself, or set RABBITMQ_SBIN.`, {
      cause: error,
    })
  }
  const installed = findRabbitMq()
  if (!installed)
    throw new Error(
      `apt-get installed rabbitmq-server, but its sbin directory is not where expected. ${missing}.`,
    )
  return installed
}

/** The Debian wrappers in /usr/sbin are also called rabbitmq-server; only the real scripts have rabbitmq-env beside them. */
function isSbin(directory) {
  return existsSync(join(directory, 'rabbitmq-server')) && existsSync(join(directory, 'rabbitmq-env'))
}

function versionsUnder(directory) {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => name.startsWith('rabbitmq_server-'))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((name) => join(directory, name, 'sbin'))
}

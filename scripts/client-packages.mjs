// What the integration suite runs besides Warren and RabbitMQ, clients of other languages above all: how each is recognised, and Debian's packages of it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { aptGet, hasAptGet, withoutServiceStart } from './apt.mjs'

/**
 * The command of Debian's package, also where another of that name comes first on the path: a Python or PHP that was
 * installed by other means doesn't see the modules of Debian's packages.
 */
export function systemCommand(name) {
  const own = `/usr/bin/${name}`
  return existsSync(own) ? own : name
}

const succeeds = (command, ...args) =>
  spawnSync(systemCommand(command), args, { stdio: 'ignore' }).status === 0
/** Looks for the module without loading it, as that takes long. */
const hasPythonModule = (name) =>
  succeeds('python3', '-c', `import importlib.util; importlib.util.find_spec('${name}').name`)

const CLIENTS = {
  'php-amqp': {
    packages: ['php-cli', 'php-amqp'],
    isThere: () => succeeds('php', '-r', 'exit(extension_loaded("amqp") ? 0 : 1);'),
  },
  'php-amqplib': {
    packages: ['php-cli', 'php-amqplib'],
    isThere: () => succeeds('php', '-r', 'require "PhpAmqpLib/autoload.php";'),
  },
  pika: { packages: ['python3-pika'], isThere: () => hasPythonModule('pika') },
  kombu: { packages: ['python3-kombu'], isThere: () => hasPythonModule('kombu') },
  celery: { packages: ['python3-celery', 'celery'], isThere: () => hasPythonModule('celery') },
  'amqp-tools': { packages: ['amqp-tools'], isThere: () => succeeds('amqp-publish', '--help') },
  librabbitmq: {
    packages: ['gcc', 'libc6-dev', 'librabbitmq-dev'],
    isThere: () => succeeds('sh', '-c', 'echo "#include <amqp.h>" | gcc -E -'),
  },
  /** For the status page. */
  chromium: { packages: ['chromium'], isThere: () => existsSync(systemCommand('chromium')) },
  /** For the metrics and the alert rules. */
  promtool: { packages: ['prometheus'], isThere: () => succeeds('promtool', '--version') },
  /** What operators' scripts are made of. */
  'curl, jq and bc': {
    packages: ['curl', 'jq', 'bc'],
    isThere: () => ['curl', 'jq', 'bc'].every((name) => succeeds(name, '--version')),
  },
}

/** Why the tests of a client can't run here, or undefined where it is installed. */
export function missingClient(name) {
  const { packages, isThere } = CLIENTS[name]
  return isThere() ? undefined : `${name} is not installed (on Debian: apt-get install ${packages.join(' ')})`
}

/**
 * Installs the missing clients where root has apt-get; elsewhere, and where that fails, says which tests won't run.
 * None of them is needed for the tests of Warren itself, so nothing here is an error.
 */
export function installClients() {
  const missing = Object.keys(CLIENTS).filter((name) => missingClient(name) !== undefined)
  if (missing.length === 0) {
    console.log('Clients of other languages and tools: all installed')
    return
  }
  console.log(`Clients of other languages and tools: ${missing.join(', ')} not installed`)
  if (process.getuid?.() === 0 && hasAptGet()) {
    console.log('Installing them with apt-get')
    try {
      aptGet('update')
      const packages = new Set(missing.flatMap((name) => CLIENTS[name].packages))
      // Prometheus comes with a service; of the others none has one.
      withoutServiceStart('prometheus', () => aptGet('install', '-y', '--no-install-recommends', ...packages))
    } catch (error) {
      console.log(error.message)
    }
  }
  for (const why of missing.map(missingClient)) if (why) console.log(`Left out: ${why}`)
}

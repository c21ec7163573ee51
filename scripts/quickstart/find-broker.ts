/** Finds a RabbitMQ for the demonstration: one that is there already, or one started for it. */
import { existsSync } from 'node:fs'
import { findRabbitMq } from '../rabbitmq-server.mjs'
import type { Broker } from './broker.js'
import { dockerRuns, startInDocker } from './docker-broker.js'
import { Failure } from './failure.js'
import { login } from './login.js'
import { installWithApt, startPrivately } from './private-broker.js'

const LOCAL_URL = 'amqp://guest:guest@localhost:5672'

/** The first that there is of: the one in AMQP_UPSTREAM_URL, one on localhost, one that can be started. */
export async function findBroker(): Promise<Broker> {
  const given = process.env.AMQP_UPSTREAM_URL
  if (given) return givenBroker(given)
  return (await localBroker()) ?? (await startBroker())
}

async function givenBroker(text: string): Promise<Broker> {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !['amqp:', 'amqps:'].includes(url.protocol) || url.hostname === '')
    throw new Failure('AMQP_UPSTREAM_URL must be like amqp://user:password@host:5672/vhost.')
  if (url.username === '') {
    url.username = 'guest'
    url.password = 'guest'
  }
  const outcome = await login(url)
  if (outcome.kind === 'unreachable')
    throw new Failure(
      `AMQP_UPSTREAM_URL: no RabbitMQ answers on ${url.host} (${outcome.reason}). ` +
        'Correct it, or unset it and a RabbitMQ is found or started for you.',
    )
  if (outcome.kind === 'refused')
    throw new Failure(
      `AMQP_UPSTREAM_URL: the RabbitMQ on ${url.host} refuses ${url.username} (${outcome.reason}). ` +
        'User, password and virtual host come from the URL (amqp://user:password@host:5672/vhost), guest:guest if it has none.',
    )
  return { url, origin: `${outcome.product} on ${url.host}, as AMQP_UPSTREAM_URL says` }
}

async function localBroker(): Promise<Broker | undefined> {
  const url = new URL(LOCAL_URL)
  const outcome = await login(url)
  if (outcome.kind === 'unreachable') return undefined
  if (outcome.kind === 'refused')
    throw new Failure(
      `The RabbitMQ on ${url.host} refuses guest:guest (${outcome.reason}). ` +
        'Give its credentials: AMQP_UPSTREAM_URL=amqp://user:password@localhost:5672 npm run quickstart',
    )
  return { url, origin: `${outcome.product}, already running on ${url.host}` }
}

async function startBroker(): Promise<Broker> {
  const installed = findRabbitMq()
  if (installed) return startPrivately(`a private one from ${installed}`)
  if (await dockerRuns()) return startInDocker()
  if (process.getuid?.() === 0 && ['/usr/bin/apt-get', '/bin/apt-get'].some(existsSync)) {
    await installWithApt()
    return startPrivately('a private one from the rabbitmq-server package, just installed')
  }
  throw new Failure(
    'There is no RabbitMQ: none on localhost:5672, no rabbitmq-server installed, no Docker engine running, and nothing ' +
      'may be installed here (that needs root on Debian or Ubuntu). ' +
      'Start Docker, install rabbitmq-server, or set AMQP_UPSTREAM_URL=amqp://user:password@host:5672',
  )
}

/** Logging in at a broker, and what can be learnt from it. */
import amqp, { type ChannelModel } from 'amqplib'
import { Failure, reasonOf, within } from './failure.js'

const LOGIN_LIMIT_MS = 10_000

export type LoginOutcome =
  | { readonly kind: 'accepted'; readonly product: string }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'unreachable'; readonly reason: string }

/** Connects as any client does. An error later on goes to whoever waits for the client's requests. */
export async function connect(url: URL, name: string): Promise<ChannelModel> {
  const clientProperties = { connection_name: name }
  const attempt = amqp.connect(url.href, { noDelay: true, timeout: LOGIN_LIMIT_MS, clientProperties })
  const client = await within(LOGIN_LIMIT_MS, 'connecting', attempt)
  client.on('error', () => undefined)
  return client
}

export async function login(url: URL): Promise<LoginOutcome> {
  try {
    const client = await connect(url, 'Warren quickstart')
    const { product, version } = client.connection.serverProperties
    await client.close()
    return { kind: 'accepted', product: `${product} ${version}` }
  } catch (error) {
    return failedLogin(reasonOf(error))
  }
}

/** Name and version of a broker that is known to let us in. */
export async function productAt(url: URL): Promise<string> {
  const outcome = await login(url)
  if (outcome.kind !== 'accepted') throw new Failure(`RabbitMQ does not let clients in: ${outcome.reason}`)
  return outcome.product
}

/** amqplib tells what the broker answered in its messages alone. */
function failedLogin(reason: string): LoginOutcome {
  const refusal = /terminated by server: .*"(.*)"/.exec(reason)
  if (refusal) return { kind: 'refused', reason: refusal[1] }
  if (reason.includes('got <ConnectionClose'))
    return { kind: 'refused', reason: 'there is no such virtual host, or it is not for this user' }
  return { kind: 'unreachable', reason }
}

import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

const USER = 'rotating'
/** RabbitMQ's own users, but a new secret has to be right, as with tokens. */
const BACKEND = String.raw`
-module(warren_strict_secrets).
-export([user_login_authentication/2, user_login_authorization/2, check_vhost_access/3, check_resource_access/4,
         check_topic_access/4, state_can_expire/0, update_state/2]).

user_login_authentication(User, Props) -> rabbit_auth_backend_internal:user_login_authentication(User, Props).
user_login_authorization(User, Props) -> rabbit_auth_backend_internal:user_login_authorization(User, Props).
check_vhost_access(User, VHost, Data) -> rabbit_auth_backend_internal:check_vhost_access(User, VHost, Data).
check_resource_access(User, Resource, Permission, Context) ->
  rabbit_auth_backend_internal:check_resource_access(User, Resource, Permission, Context).
check_topic_access(User, Resource, Permission, Context) ->
  rabbit_auth_backend_internal:check_topic_access(User, Resource, Permission, Context).

state_can_expire() -> true.

update_state(User, Secret) ->
  case rabbit_auth_backend_internal:user_login_authentication(element(2, User), [{password, Secret}]) of
    {ok, _} -> {ok, User};
    {refused, _, _} -> {refused, wrong}
  end.
`

describe('Connection.Update-Secret', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess

  before(async () => {
    broker = await sharedBroker()
  })
  beforeEach(async () => {
    await broker.addUser(USER, 'old', { vhosts: ['/'] })
    warren = await WarrenProcess.start(broker.port)
  })
  afterEach(async () => {
    await warren.stop()
    await broker.quiet()
    await broker.eval(`rabbit_auth_backend_internal:delete_user(<<"${USER}">>, <<"test">>)`)
    await broker.deleteAllQueues()
  })

  const changePassword = (password: string): Promise<string> =>
    broker.eval(
      `ok = rabbit_auth_backend_internal:change_password(<<"${USER}">>, <<"${password}">>, <<"test">>)`,
    )

  async function onChannel(password: string): Promise<WireClient> {
    const client = await WireClient.connect(warren.port, { user: USER, password })
    await client.openChannel(1)
    return client
  }

  function update(client: WireClient, secret: string): void {
    client.method(0, 'connection.update-secret', { secret: Buffer.from(secret), reason: 'rotation' })
  }

  async function expectRefusal(client: WireClient, text: string): Promise<void> {
    expect(await client.expectMethod('connection.close')).to.deep.equal({
      ...{ code: 530, text: `NOT_ALLOWED - ${text}`, classId: 10, methodId: 70 },
    })
    client.method(0, 'connection.close-ok')
    await client.end()
  }

  /** Upstream connections; a login that came while another was becoming one, and is kept for later, isn't. */
  const upstreams = async (): Promise<string[]> =>
    (await broker.upstreams()).filter(({ user }) => user === USER).map(({ pid }) => pid)

  it('takes the password that was changed at the broker, while what is open goes on', async () => {
    const [client, neighbour] = [await onChannel('old'), await onChannel('old')]
    await client.declareQueue(1, 'q', {})
    await client.consume(1, 'q', { noAck: true })
    // Opens a connection for publishers, for which it would be too late later on.
    neighbour.publish(1, { routingKey: 'q', body: 'before' })
    expect((await client.expectContent('basic.deliver')).body.toString()).to.equal('before')
    const before = await upstreams()
    await changePassword('new')
    update(client, 'new')
    await client.expectMethod('connection.update-secret-ok')
    // That on which the broker was asked goes by itself.
    await eventually(async () => expect(await upstreams()).to.have.length(before.length + 1))

    await client.openChannel(2)
    client.publish(2, { routingKey: 'q', body: 'by the new one' })
    expect((await client.expectContent('basic.deliver')).body.toString()).to.equal('by the new one')
    neighbour.publish(1, { routingKey: 'q', body: 'by the neighbour' })
    expect((await client.expectContent('basic.deliver')).body.toString()).to.equal('by the neighbour')
    await neighbour.declareQueue(1, 'q', {})
    for (const each of [client, neighbour]) await each.close()
    await eventually(async () => expect(await broker.consumers()).to.have.length(0))
  })

  it('takes a password that is wrong as the broker does, which goes on as before', async () => {
    const direct = await WireClient.connect(broker.port, { user: USER, password: 'old' })
    for (const client of [direct, await onChannel('old')]) {
      update(client, 'wrong')
      await client.expectMethod('connection.update-secret-ok')
      await client.openChannel(2)
      await client.declareQueue(2, 'q', {})
      await client.close()
    }
  })

  describe('at a broker that looks at new secrets', () => {
    before(() => broker.loadModule('warren_strict_secrets', BACKEND))
    beforeEach(() => useBackends('[warren_strict_secrets]'))
    afterEach(() => useBackends('[rabbit_auth_backend_internal]'))

    const useBackends = (backends: string): Promise<string> =>
      broker.eval(`application:set_env(rabbit, auth_backends, ${backends})`)

    it('is refused to the one who sent it, and to nobody else', async () => {
      const [client, neighbour] = [await onChannel('old'), await onChannel('old')]
      const direct = await WireClient.connect(broker.port, { user: USER, password: 'old' })
      update(direct, 'wrong')
      await expectRefusal(direct, 'New secret was refused by one of the backends')
      await client.declareQueue(1, 'mine', { exclusive: true })
      await neighbour.declareQueue(1, 'q', {})
      await neighbour.consume(1, 'q')
      // The first message of a consumer may need a further upstream connection.
      neighbour.publish(1, { routingKey: 'q', body: 'here' })
      await neighbour.expectContent('basic.deliver')
      const before = await upstreams()
      update(client, 'wrong')
      await expectRefusal(client, 'New secret was refused by one of the backends')
      neighbour.publish(1, { routingKey: 'q', body: 'still here' })
      expect((await neighbour.expectContent('basic.deliver')).body.toString()).to.equal('still here')
      await eventually(async () => expect(await upstreams()).to.deep.equal(before))
      await eventually(async () =>
        expect((await broker.queues()).map(({ name }) => name)).to.deep.equal(['q']),
      )
      await neighbour.close()
    })

    it('of several clients at once is right or wrong for each', async () => {
      const clients = await Promise.all(Array.from({ length: 10 }, () => onChannel('old')))
      await changePassword('new')
      clients.forEach((client, n) => update(client, n % 2 === 0 ? 'new' : 'wrong'))
      for (const [n, client] of clients.entries()) {
        if (n % 2 !== 0) {
          await expectRefusal(client, 'New secret was refused by one of the backends')
          continue
        }
        await client.expectMethod('connection.update-secret-ok')
        await client.openChannel(2)
        await client.declareQueue(2, '', { exclusive: true })
        await client.declareQueue(1, '', { exclusive: true })
        await client.close()
      }
      await eventually(async () => expect(await upstreams()).to.have.length(2))
      await eventually(async () => expect(await broker.queues()).to.have.length(0))
    })
  })
})

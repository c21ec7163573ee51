import { expect } from 'chai'
import { identifiers } from '../../../../src/application/identifiers.js'
import type { Reload } from '../../../../src/application/operations/reload.js'
import { Credentials } from '../../../../src/domain/credentials.js'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { PROTOCOL_HEADER } from '../../../support/wire-format.js'

const SHOP = new Credentials('shop', 'sesame')
const EXTERNAL = { mechanism: 'EXTERNAL', response: Buffer.alloc(0) }

describe('EXTERNAL', () => {
  let world: World

  beforeEach(async () => {
    world = await World.start({
      settings: {
        tls: {
          externalLogins: new Map([
            ['shop-1', SHOP],
            ['shop-2', SHOP],
            ['till', new Credentials('till', 'wrong')],
          ]),
        },
      },
      broker: (broker) => (broker.refusesLogin = (_, password) => password === 'wrong' && 'close'),
    })
  })
  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const mechanisms = async (client: FakeClient): Promise<string> => {
    client.send(PROTOCOL_HEADER)
    await settle()
    return client.next('connection.start').mechanisms.toString()
  }

  it('is offered to everybody who is asked for a certificate, as RabbitMQ does, and to nobody else', async () => {
    for (const client of [
      world.dialWithCertificate({ common_name: ['shop-1'] }),
      world.dialWithCertificate({ common_name: ['stranger'] }),
      world.dialWithoutCertificate(),
    ])
      expect(await mechanisms(client)).to.equal('PLAIN AMQPLAIN EXTERNAL')
    expect(await mechanisms(world.dial())).to.equal('PLAIN AMQPLAIN')
  })

  it('logs the client in with the login that the certificate stands for', async () => {
    const client = await world.dialWithCertificate({ common_name: ['shop-1'] }).connect(EXTERNAL)
    await client.openChannels(1)
    expect(world.upstream.user).to.equal('shop')
    expect([...world.proxy.sessions].map((session) => session.view().user)).to.deep.equal(['shop'])
  })

  it('lets several names share the upstream connection, also with those who log in with the password', async () => {
    const clients = [
      await world.dialWithCertificate({ common_name: ['shop-1'] }).connect(EXTERNAL),
      await world.dialWithCertificate({ common_name: ['shop-2'] }).connect(EXTERNAL),
      await world.connect({ user: 'shop', password: 'sesame' }),
    ]
    for (const client of clients) await client.openChannels(1)
    expect(world.broker.opened).to.have.length(1)
  })

  it('leaves PLAIN to a client with a certificate', async () => {
    await world.dialWithCertificate({ common_name: ['shop-1'] }).connect()
    expect(world.upstream.user).to.equal('guest')
  })

  const strangers: [() => FakeClient, string][] = [
    [() => world.dialWithoutCertificate(), 'EXTERNAL: the client has shown no certificate'],
    [
      () => world.dialWithCertificate({ common_name: ['stranger'] }),
      'EXTERNAL: there is no login for the certificate name "stranger" in tls.external_logins',
    ],
    [
      () => world.dialWithCertificate({ dns: ['shop-1'] }),
      "EXTERNAL: the client's certificate has no name of the kind tls.external_name",
    ],
  ]

  it('is refused as RabbitMQ does it, with 403, and the log says which name is unknown', async () => {
    for (const [dial, reason] of strangers) {
      const client = dial()
      await mechanisms(client)
      client.startOk(EXTERNAL)
      await settle()
      expect(client.refusal).to.deep.equal({
        code: 403,
        text: 'ACCESS_REFUSED - Login was refused using authentication mechanism EXTERNAL. For details see the broker logfile.',
      })
      client.peer.end()
      await settle()
      expect(world.lines('client disconnected').at(-1)!.fields.reason).to.equal(reason)
    }
    expect(world.broker.opened).to.have.length(0)
  })

  it('is refused in silence to who does not announce authentication_failure_close, and where it was not offered', async () => {
    const plain: [() => FakeClient, string] = [
      () => world.dial(),
      'EXTERNAL: the client has shown no certificate',
    ]
    for (const [dial, reason] of [...strangers, plain]) {
      const client = dial()
      await mechanisms(client)
      client.startOk({ ...EXTERNAL, ...(dial === plain[0] ? {} : { capabilities: {} }) })
      await world.advance(4000)
      expect(client.names()).to.deep.equal(['connection.start'])
      expect(client.ended).not.to.equal('open')
      expect(world.lines('client disconnected').at(-1)!.fields.reason).to.equal(reason)
    }
    expect(world.broker.opened).to.have.length(0)
  })

  it('tells the client in its own terms when the broker refuses the login', async () => {
    const client = world.dialWithCertificate({ common_name: ['till'] })
    await mechanisms(client)
    client.startOk(EXTERNAL)
    await settle()
    expect(client.refusal?.code).to.equal(403)
    expect(client.refusal?.text).not.to.contain('PLAIN')
  })

  it('follows a reload: a name that was taken away is refused, and without names nobody is offered it', async () => {
    const reload = world.container.get<Reload>(identifiers.Reload)
    const tls = { ...world.settings.tls, externalLogins: new Map([['shop-2', SHOP]]) }
    const { applied } = reload.apply({ ...world.settings, tls }, ['tls.external_logins'])
    expect(applied).to.deep.equal(['tls.external_logins'])
    const gone = world.dialWithCertificate({ common_name: ['shop-1'] })
    await mechanisms(gone)
    gone.startOk(EXTERNAL)
    await settle()
    expect(gone.refusal?.code).to.equal(403)
    await world.dialWithCertificate({ common_name: ['shop-2'] }).connect(EXTERNAL)
    const none = { ...world.settings.tls, externalLogins: new Map<string, Credentials>() }
    reload.apply({ ...world.settings, tls: none }, ['tls.external_logins'])
    expect(await mechanisms(world.dialWithCertificate({ common_name: ['shop-2'] }))).to.equal(
      'PLAIN AMQPLAIN',
    )
  })

  it('names in the log the certificate of who has no login, and leaves when that is not offered', async () => {
    const client = world.dialWithCertificate({ common_name: ['stranger'] })
    await mechanisms(client)
    client.peer.reset()
    await settle()
    expect(world.lines('client disconnected')[0].fields['certificateWithoutLogin']).to.deep.equal([
      'stranger',
    ])
  })

  it('names the certificate in the log', async () => {
    const client = await world.dialWithCertificate({ common_name: ['shop-1'] }).connect(EXTERNAL)
    client.close()
    await settle()
    expect(world.lines('client disconnected')[0].fields).to.include({ user: 'shop', certificate: 'shop-1' })
  })
})

import { expect } from 'chai'
import { ConfiguredCredentials } from '../../../../src/adapters/credentials/configured-credentials.js'
import { Credentials } from '../../../../src/domain/credentials.js'

describe('the credentials of the configuration', () => {
  const settings = {
    pool: { replayLogins: [new Credentials('a', 'replay')] as readonly Credentials[] },
    tls: {
      externalLogins: new Map([
        ['one', new Credentials('a', 'external')],
        ['two', new Credentials('b', 'external')],
        ['three', new Credentials('b', 'second')],
      ]),
    },
    upstream: { logins: [new Credentials('b', 'url'), new Credentials('c', 'url')] },
  }
  const source = new ConfiguredCredentials(settings)
  const isFrom = async (user: string, where: string): Promise<boolean | undefined> =>
    (await source.credentialsFor(user))?.equals(new Credentials(user, where))

  it('are those of pool.replay_logins, then of tls.external_logins, then of upstream.url', async () => {
    expect(await isFrom('a', 'replay')).to.equal(true)
    expect(await isFrom('b', 'external')).to.equal(true)
    expect(await isFrom('c', 'url')).to.equal(true)
    expect(await source.credentialsFor('d')).to.equal(undefined)
  })
})

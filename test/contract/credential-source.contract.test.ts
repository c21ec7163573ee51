/** What every CredentialSource promises, held against the one of the configuration, the example's and the tests' own. */
import { mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect } from 'chai'
import { MountedCredentials } from '../../examples/adapters/mounted-credentials.js'
import { ConfiguredCredentials } from '../../src/adapters/credentials/configured-credentials.js'
import type { CredentialSource } from '../../src/application/ports/credential-source.js'
import { Credentials } from '../../src/domain/credentials.js'
import { FakeCredentialSource } from '../support/fake-credential-source.js'

interface Subject {
  readonly source: CredentialSource
  /** Tells the source a password; undefined takes it away. */
  know(user: string, password: string | undefined): void
}

let directory: string

function configured(): Subject {
  const logins = new Map<string, Credentials>()
  const settings = {
    pool: {
      get replayLogins() {
        return [...logins.values()]
      },
    },
    tls: { externalLogins: new Map<string, Credentials>() },
    upstream: { logins: [] },
  }
  return {
    source: new ConfiguredCredentials(settings),
    know: (user, password) => {
      if (password === undefined) logins.delete(user)
      else logins.set(user, new Credentials(user, password))
    },
  }
}

function mounted(): Subject {
  const folder = join(directory, 'mounted')
  mkdirSync(folder)
  writeFileSync(join(directory, 'outside'), 'secret')
  return {
    source: new MountedCredentials(folder),
    know: (user, password) => {
      if (password === undefined) unlinkSync(join(folder, user))
      else writeFileSync(join(folder, user), `${password}\n`)
    },
  }
}

function fake(): Subject {
  const source = new FakeCredentialSource()
  return {
    source,
    know: (user, password) => {
      if (password === undefined) source.passwords.delete(user)
      else source.passwords.set(user, password)
    },
  }
}

for (const [name, create] of Object.entries({
  ConfiguredCredentials: configured,
  'MountedCredentials, the example': mounted,
  FakeCredentialSource: fake,
}))
  describe(`CredentialSource: ${name}`, () => {
    let subject: Subject

    beforeEach(() => {
      directory = mkdtempSync(join(tmpdir(), 'warren-credentials-'))
      subject = create()
      subject.know('shop', 'pass:wörd, 50%')
      subject.know('till', 'other')
    })
    afterEach(() => rmSync(directory, { recursive: true }))

    const ask = (user: string, virtualHost = '/'): Promise<Credentials | undefined> =>
      subject.source.credentialsFor(user, virtualHost)

    it('gives the user and the password that belong together', async () => {
      expect((await ask('shop'))?.equals(new Credentials('shop', 'pass:wörd, 50%'))).to.equal(true)
      expect((await ask('till'))?.equals(new Credentials('till', 'other'))).to.equal(true)
      expect((await ask('shop', 'elsewhere'))?.user).to.equal('shop')
    })

    it('gives nothing for whom it does not know, whatever the name is', async () => {
      for (const user of [
        'nobody',
        '',
        'SHOP',
        'shop ',
        '../outside',
        '/',
        '.',
        '__proto__',
        'toString',
        '\0',
      ])
        expect(await ask(user), JSON.stringify(user)).to.equal(undefined)
    })

    it('gives what it knows when it is asked, not what it knew before', async () => {
      subject.know('shop', 'changed')
      subject.know('till', undefined)
      expect((await ask('shop'))?.equals(new Credentials('shop', 'changed'))).to.equal(true)
      expect(await ask('till')).to.equal(undefined)
    })

    it('gives several answers at the same time', async () => {
      const answers = await Promise.all(['shop', 'nobody', 'till'].map((user) => ask(user)))
      expect(answers.map((answer) => answer?.user)).to.deep.equal(['shop', undefined, 'till'])
    })

    it('shows the password to nobody who looks at the answer', async () => {
      expect(inspect(await ask('till'), { depth: 9, showHidden: true })).not.to.contain('other')
    })
  })

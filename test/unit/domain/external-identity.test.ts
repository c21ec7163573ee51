import { expect } from 'chai'
import { Credentials } from '../../../src/domain/credentials.js'
import { identify } from '../../../src/domain/external-identity.js'

describe('identify', () => {
  const shop = new Credentials('shop', 'secret')
  const till = new Credentials('till', 'secret')
  const logins = new Map([
    ['shop-1', shop],
    ['shop-2', shop],
    ['Till.example', till],
  ])
  const none = { common_name: [], dns: [], email: [], uri: [] }

  it('finds the login of a name', () => {
    const found = identify({ ...none, common_name: ['shop-1'] }, 'common_name', logins)
    expect(found).to.deep.equal({ name: 'shop-1', credentials: shop })
  })

  it('gives several names the same login, and so the same pool', () => {
    const [one, two] = ['shop-1', 'shop-2'].map((name) =>
      identify({ ...none, common_name: [name] }, 'common_name', logins),
    )
    expect(one!.credentials.equals(two!.credentials)).to.equal(true)
  })

  it('looks at the kind of name that counts, and at no other', () => {
    expect(identify({ ...none, dns: ['shop-1'] }, 'common_name', logins)).to.equal(undefined)
    expect(identify({ ...none, common_name: ['shop-1'] }, 'dns', logins)).to.equal(undefined)
  })

  it('takes the first of several names that has a login', () => {
    const names = { ...none, dns: ['unknown', 'shop-2', 'till.example'] }
    expect(identify(names, 'dns', logins)?.name).to.equal('shop-2')
  })

  it('compares DNS names without regard to case, and all others with it', () => {
    expect(identify({ ...none, dns: ['TILL.example'] }, 'dns', logins)?.credentials).to.equal(till)
    expect(identify({ ...none, common_name: ['SHOP-1'] }, 'common_name', logins)).to.equal(undefined)
    expect(identify({ ...none, uri: ['till.EXAMPLE'] }, 'uri', logins)).to.equal(undefined)
  })

  it('finds nobody in a certificate without names', () => {
    expect(identify(none, 'common_name', logins)).to.equal(undefined)
  })
})

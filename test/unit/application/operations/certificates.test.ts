import { expect } from 'chai'
import type { Certificates } from '../../../../src/application/operations/certificates.js'
import { identifiers } from '../../../../src/application/identifiers.js'
import {
  CertificateError,
  type CertificateInUse,
  type CertificateStore,
} from '../../../../src/application/ports/certificate-store.js'
import type { Overview } from '../../../../src/application/operations/overview.js'
import type { Readiness } from '../../../../src/application/operations/readiness.js'
import type { Reload } from '../../../../src/application/operations/reload.js'
import type { Settings } from '../../../../src/application/settings.js'
import { World } from '../../../support/fake-world.js'

const DAY = 24 * 60 * 60 * 1000

/** Certificates that a test makes up. */
class FakeCertificateStore implements CertificateStore {
  inUse: CertificateInUse[] = []
  /** What the next load brings. */
  next: CertificateInUse[] | string = []
  readonly loads: Pick<Settings, 'tls' | 'upstreamTls'>[] = []

  load(settings: Pick<Settings, 'tls' | 'upstreamTls'>): void {
    this.loads.push(settings)
    if (typeof this.next === 'string') throw new CertificateError(this.next)
    this.inUse = this.next
  }
}

describe('Certificates', () => {
  let world: World
  let store: FakeCertificateStore

  beforeEach(async () => {
    store = new FakeCertificateStore()
    world = await World.start({
      prepare: ({ container }) => container.rebind(identifiers.CertificateStore).toConstantValue(store),
    })
  })

  const certificate = (name: string, days: number): CertificateInUse => {
    const now = world.clock.wallTime()
    return { use: 'listener', name, fingerprint: name, notBefore: now - DAY, notAfter: now + days * DAY }
  }
  const get = <T>(identifier: symbol): T => world.container.get<T>(identifier)
  const reload = (changed: string[] = []): ReturnType<Reload['apply']> =>
    get<Reload>(identifiers.Reload).apply(world.settings, changed)

  it('are read again by every reload, also when no key has changed', () => {
    store.next = [certificate('new', 90)]
    expect(reload()).to.deep.equal({ applied: [], needsRestart: [], refused: [] })
    expect(store.inUse[0].name).to.equal('new')
    expect(world.lines('certificates loaded')).to.have.length(1)
  })

  it('are not talked of when a reload brings the same ones', () => {
    store.next = store.inUse = [certificate('same', 90)]
    reload()
    expect(world.lines('certificates loaded')).to.have.length(0)
  })

  it('stay what they were when the new ones are of no use, and so do all keys about them', () => {
    store.inUse = [certificate('old', 90)]
    store.next = 'tls.key: of no use'
    expect(reload().refused).to.deep.equal(['tls.key: of no use'])
    const { applied, refused } = reload(['tls.cert', 'upstream_tls.ca', 'shutdown.grace'])
    expect(applied).to.deep.equal(['shutdown.grace'])
    expect(refused).to.deep.equal(['tls.cert: tls.key: of no use', 'upstream_tls.ca: tls.key: of no use'])
    expect(store.inUse[0].name).to.equal('old')
    const [line] = world.lines('certificates not reloaded: those that were in use stay')
    expect(line).to.deep.include({ level: 'error', fields: { reason: 'tls.key: of no use' } })
  })

  it('are applied with the keys about them', () => {
    expect(reload(['tls.cert', 'upstream_tls.skip_verify']).applied).to.deep.equal([
      'tls.cert',
      'upstream_tls.skip_verify',
    ])
  })

  it('need a restart for a listener with TLS to come', () => {
    const settings = { ...world.settings, tls: { ...world.settings.tls, enabled: true } }
    expect(get<Reload>(identifiers.Reload).apply(settings, ['tls.enabled']).needsRestart).to.deep.equal([
      'tls.enabled',
    ])
    expect(store.loads[0].tls.enabled).to.equal(false)
  })

  it('that expire soon are warned of, in the log, for /readyz and in the summary', () => {
    store.inUse = [certificate('fine', 90), certificate('soon', 3)]
    const certificates = get<Certificates>(identifiers.Certificates)
    certificates.announce()
    const warning = /^the certificate of the listener \(soon\) expires in 3 days, on /
    expect(world.logger.lines.filter(({ message }) => warning.test(message))).to.have.length(1)
    expect(get<Readiness>(identifiers.Readiness).warnings()).to.have.length(1)
    expect(get<Readiness>(identifiers.Readiness).warnings()[0]).to.match(warning)
    const seen = get<Overview>(identifiers.Overview).summary().certificates
    expect(seen.map(({ name, warning: text }) => [name, text === null])).to.deep.equal([
      ['fine', true],
      ['soon', false],
    ])
    expect(seen[0].expires).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  })

  it('are no more than 32 in the summary, and so in the metrics, however large a bundle of CAs is', () => {
    store.inUse = Array.from({ length: 150 }, (_, at) => certificate(`ca ${at}`, 90))
    expect(get<Overview>(identifiers.Overview).summary().certificates).to.have.length(32)
  })
})

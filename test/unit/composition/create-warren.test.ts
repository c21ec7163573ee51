import { expect } from 'chai'
import { ConfigurationError } from '../../../src/adapters/config/configuration-error.js'
import { createWarren } from '../../../src/composition/create-warren.js'
import { FakeJournal } from '../../support/fake-journal.js'
import { World } from '../../support/fake-world.js'

describe('createWarren', () => {
  const keeping = { ...World.defaults.pool, publishBufferSize: 1, publishBufferDir: '/var/lib/warren' }
  const settings = { ...World.defaults, pool: keeping }

  it('refuses to keep messages in memory alone that are to outlive the process', () => {
    expect(() => createWarren(settings)).to.throw(ConfigurationError, 'pool.publish_buffer_dir keeps nothing')
  })

  it('takes a journal for them, and needs none where nothing is kept', () => {
    expect(createWarren(settings, { journal: new FakeJournal() }).overview.summary()).to.be.an('object')
    const notKeeping = { ...settings, pool: { ...keeping, publishBufferSize: 0 } }
    expect(createWarren(notKeeping).overview.summary()).to.be.an('object')
  })
})

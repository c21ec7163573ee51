import { expect } from 'chai'
import { createConfiguration, entries } from '../../../../src/adapters/config/schema.js'

describe('the configuration schema', () => {
  it('has valid defaults', () => {
    expect(() => createConfiguration().validate({ allowed: 'strict' })).not.to.throw()
  })

  it('derives the names of flag and environment variable from the key', () => {
    const entry = entries.find(({ key }) => key === 'pool.max_channels')
    expect(entry).to.include({ flag: '--pool-max-channels', env: 'AMQP_POOL_MAX_CHANNELS' })
  })

  it('gives each key names of its own', () => {
    for (const name of ['key', 'flag', 'env'] as const) {
      expect(new Set(entries.map((entry) => entry[name])).size).to.equal(entries.length)
    }
  })

  it('reads neither the environment nor the command line by itself', () => {
    process.env.AMQP_LISTEN_PORT = '1'
    try {
      expect(createConfiguration().get('listen.port')).to.equal(5673)
    } finally {
      delete process.env.AMQP_LISTEN_PORT
    }
  })
})

import { expect } from 'chai'
import { variableNames } from '../../../../src/adapters/config/environment.js'
import { createConfiguration, entries } from '../../../../src/adapters/config/schema.js'

describe('the configuration schema', () => {
  it('has valid defaults', () => {
    expect(() => createConfiguration().validate()).not.to.throw()
  })

  it('derives the names of flag and environment variable from the key', () => {
    const entry = entries.find(({ key }) => key === 'pool.max_channels')
    expect(entry).to.include({ flag: '--pool-max-channels', env: 'AMQP_POOL_MAX_CHANNELS' })
  })

  it('gives each key, and the file of each secret, names of its own', () => {
    for (const name of ['key', 'flag', 'env'] as const) {
      const names = entries.flatMap((entry) => [entry[name], ...(entry.file ? [entry.file[name]] : [])])
      expect(new Set(names).size).to.equal(names.length)
    }
    expect(new Set(variableNames).size).to.equal(variableNames.length)
  })

  it('takes every secret from a file too', () => {
    const token = entries.find(({ key }) => key === 'management.token')
    expect(token?.file).to.deep.equal({
      key: 'management.token_file',
      env: 'AMQP_MANAGEMENT_TOKEN_FILE',
      flag: '--management-token-file',
    })
    expect(
      entries.filter(({ secret, file }) => (secret === undefined) !== (file === undefined)),
    ).to.deep.equal([])
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

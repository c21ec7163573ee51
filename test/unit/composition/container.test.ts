import { expect } from 'chai'
import { identifiers } from '../../../src/application/identifiers.js'
import type { Logger } from '../../../src/application/ports/logger.js'
import type { Reload } from '../../../src/application/operations/reload.js'
import { createContainer, createManagementServer } from '../../../src/composition/container.js'
import { World } from '../../support/fake-world.js'

/** What a program has that knows nothing of levels. */
class PlainLogger implements Logger {
  child(): Logger {
    return this
  }
  debug(): void {}
  info(): void {}
  warn(): void {}
  error(): void {}
}

describe('createContainer', () => {
  it('takes a logger without levels, and says so to whoever asks for the level', async () => {
    const product = { name: 'Warren', version: '0.0.0', platform: 'tests', host: 'burrow' }
    const settings = World.defaults
    const container = createContainer({ settings, logger: new PlainLogger(), product })
    const server = await createManagementServer(container)
    const headers = { host: '127.0.0.1', 'content-type': 'application/json' }
    for (const asked of [{ method: 'GET' }, { method: 'PUT', payload: '{"level": "debug"}' }] as const) {
      const answer = await server.inject({ url: '/log', headers, ...asked })
      expect(answer.statusCode).to.equal(501)
      expect(JSON.parse(answer.payload)).to.deep.equal({
        error: 'the logger that this Warren was given has no level that can be shown or changed',
        status: 'failed',
      })
    }
    await server.close()
    const reload = container.get<Reload>(identifiers.Reload)
    expect(reload.apply(settings, ['log.level']).refused).to.deep.equal([
      'log.level: this logger has no level that Warren could change',
    ])
  })
})

import { expect } from 'chai'
import { parse } from 'smol-toml'
import { loadSettings, type LoadedSettings } from '../../../../src/adapters/config/load-settings.js'
import { printConfig } from '../../../../src/adapters/config/print-config.js'
import { entries } from '../../../../src/adapters/config/schema.js'

function load(...argv: string[]): LoadedSettings {
  const env = { AMQP_POOL_IDLE_TIMEOUT: '0.5' }
  const readFile = (): string => '[log]\nlevel = "debug"'
  return loadSettings({ argv, env, cwd: '/work', readFile })
}

describe('printConfig', () => {
  it('shows each value with its source', () => {
    const lines = printConfig(load('--listen-port=0')).split('\n')
    const line = (name: string): string | undefined => lines.find((text) => text.startsWith(`${name} =`))
    expect(line('port')).to.match(/^port = 0 +# flag --listen-port$/)
    expect(line('idle_timeout')).to.match(/^idle_timeout = 0\.5 +# environment AMQP_POOL_IDLE_TIMEOUT$/)
    expect(line('level')).to.match(/^level = "debug" +# file \/work\/config\.toml$/)
    expect(line('format')).to.match(/^format = "auto" +# default$/)
  })

  it('prints every key, as TOML that says the same', () => {
    const loaded = load('--listen-port=0', 'amqp://rabbit:5672')
    expect(parse(printConfig(loaded))).to.deep.equal(loaded.values)
    expect(printConfig(loaded).match(/ = /g)).to.have.length(entries.length)
  })

  it('hides tokens', () => {
    const text = printConfig(load('--management-token=hunter2hunter2'))
    expect(text).to.contain('token = "***"')
    expect(text).not.to.contain('hunter2')
  })

  it('hides the credentials of the upstream URL', () => {
    const text = printConfig(load('amqp://u:hunter2@rabbit:5672/v?password=hunter2'))
    expect(text).to.contain('url = "amqp://***@rabbit:5672/v?***"')
    expect(text).not.to.contain('hunter2')
  })

  it('prints a list of upstream URLs as one, without their credentials', () => {
    const url = ['amqp://u:hunter2@a', 'amqp://b']
    const { sources, values } = load()
    const text = printConfig({ sources, values: { ...values, upstream: { ...values.upstream, url } } })
    expect(text).to.contain('url = ["amqp://***@a","amqp://b"]')
    expect(parse(text)).to.have.nested.property('upstream.url').that.deep.equals(['amqp://***@a', 'amqp://b'])
  })

  it('says which file a secret comes from, and who named it', () => {
    const { values, sources } = load('--management-token=hunter2hunter2')
    const source = 'file /run/a\nb = 1 (environment AMQP_MANAGEMENT_TOKEN_FILE)' as const
    const text = printConfig({ values, sources: { ...sources, 'management.token': source } })
    expect(text).to.match(
      /^token = "\*\*\*" +# file \/run\/a\?b = 1 \(environment AMQP_MANAGEMENT_TOKEN_FILE\)$/m,
    )
  })
})

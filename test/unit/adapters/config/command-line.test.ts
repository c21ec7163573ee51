import { expect } from 'chai'
import { helpText } from '../../../../src/adapters/config/command-line.js'
import { entries } from '../../../../src/adapters/config/schema.js'

describe('helpText', () => {
  // The help breaks its lines to fit the terminal.
  const words = helpText().replace(/\s+/g, ' ')

  it('begins with the usage', () => {
    expect(helpText()).to.match(/^Usage: warren \[options\] \[amqp:\/\/host:port\]\n/)
  })

  for (const { flag, env, alias, file, default: value, doc } of entries) {
    const names = alias === undefined ? env : `${env} or ${alias}`
    it(`shows ${flag} with what it does, its default and its environment variable`, () => {
      expect(words).to.contain(`${flag} <`)
      expect(words).to.contain(`${doc} (default: ${value === '' ? 'none' : String(value)}, env: ${names})`)
      if (file) expect(words).to.contain(`${file.flag} <path> A file that holds it. (env: ${file.env})`)
    })
  }

  it('puts the flags of a section together, under its name', () => {
    const headings = helpText().match(/^\[\w+\]$/gm)
    expect(headings).to.deep.equal([...new Set(entries.map(({ key }) => `[${key.split('.')[0]}]`))])
  })

  it('shows what else the program can be asked for', () => {
    for (const flag of ['--config <file>', '--check', '--print-config', '-V, --version', '-h, --help']) {
      expect(words).to.contain(flag)
    }
  })
})

import { expect } from 'chai'
import { CONTROL_CHARACTERS } from '../../../src/domain/control-characters.js'

describe('CONTROL_CHARACTERS', () => {
  for (const [what, text] of Object.entries({
    'a new line': '\r\n',
    'an escape sequence': '\u001b',
    'a control character of C1': '\u009b',
    'separators of lines and paragraphs': '\u2028\u2029',
    'an override of the direction': '\u202e',
    'an isolate of the direction': '\u2066\u2069',
  }))
    it(`are ${what}, replaced as one`, () => {
      expect(`a${text}b${text}`.replace(CONTROL_CHARACTERS, '?')).to.equal('a?b?')
    })

  it('are no letters, spaces or signs of any script', () => {
    const text = 'grün “日本語” עברית — 🐰\u200d'
    expect(text.replace(CONTROL_CHARACTERS, '?')).to.equal(text)
  })
})

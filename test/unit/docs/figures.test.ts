/** Figures of cost are measured ones: those that README.md and docs/operations.md give are in docs/performance.md, which says how. */
import { expect } from 'chai'
import { textOf } from '../../support/project-files.js'

const measured = textOf('docs/performance.md')

/** The text between a heading and the next one. */
function section(document: string, heading: string): string {
  const [, text] = textOf(document).split(`\n## ${heading}\n`)
  return text.split('\n## ')[0]
}

for (const [document, heading] of [
  ['README.md', 'Costs'],
  ['docs/operations.md', 'Sizing'],
] as const)
  describe(`${document}, ${heading}`, () => {
    const figures = [
      ...section(document, heading).matchAll(/([\d.,]*\d) (?:µs|KiB (?:for )?each|sessions\/s)/g),
    ]

    it('has figures', () => {
      expect(figures).to.have.length.above(5)
    })

    for (const figure of new Set(figures.map(([, text]) => text)))
      it(`has ${figure} from docs/performance.md`, () => {
        expect(measured).to.match(new RegExp(`(?<![\\d.,])${figure.replaceAll('.', '\\.')}(?![\\d.]|,\\d)`))
      })
  })

/** Figures of cost are measured ones: those that other documents give are in docs/performance.md, which says how. */
import { expect } from 'chai'
import { textOf } from '../../support/project-files.js'

const measured = textOf('docs/performance.md')

/** The text between a heading and the next one. */
function section(document: string, heading: string): string {
  const [, text] = textOf(document).split(new RegExp(`\n##+ ${heading}\n`))
  return text.split(/\n##+ /)[0]
}

for (const [document, heading, atLeast] of [
  ['README.md', 'Costs', 8],
  ['docs/operations.md', 'Sizing', 8],
  ['docs/deployment.md', 'Memory', 2],
] as const)
  describe(`${document}, ${heading}`, () => {
    const figures = [
      ...section(document, heading).matchAll(
        /([\d.,]*\d) (?:µs|KiB (?:for )?each|sessions\/s|MiB(?=, [\d.]+ KiB| with(?:out clients| 10,000)))/g,
      ),
    ]

    it('has figures', () => {
      expect(figures).to.have.length.at.least(atLeast)
    })

    for (const figure of new Set(figures.map(([, text]) => text)))
      it(`has ${figure} from docs/performance.md`, () => {
        expect(measured).to.match(new RegExp(`(?<![\\d.,])${figure.replaceAll('.', '\\.')}(?![\\d.]|,\\d)`))
      })
  })

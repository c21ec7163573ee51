/** docs/architecture.md shows the house as it is: folders, files and classes that there are. */
import { basename } from 'node:path'
import { expect } from 'chai'
import { blocksOf } from '../../support/documents.js'
import { filesUnder, textOf } from '../../support/project-files.js'

const DOCUMENT = 'docs/architecture.md'
const sources = filesUnder('src')
const folders = new Set(sources.flatMap((name) => name.split('/').slice(0, -1)))
const everything = sources
  .filter((name) => name.endsWith('.ts'))
  .map(textOf)
  .join('\n')

describe(DOCUMENT, () => {
  it('names files and folders that there are', () => {
    const names = new Set(sources.map((name) => basename(name)))
    for (const [, path] of textOf(DOCUMENT).matchAll(/`((?:[\w-]+\/)*[\w-]+\.ts)`/g)) {
      expect(names, path).to.include(basename(path))
      expect(
        sources.some((name) => name.endsWith(`/${path}`) || name === path),
        path,
      ).to.equal(true)
    }
    for (const [, path] of textOf(DOCUMENT).matchAll(/`(src\/[\w/-]+)`/g))
      expect(
        sources.some((name) => name.startsWith(`${path}/`)),
        path,
      ).to.equal(true)
  })

  it('has classes and methods of AMQP in its picture of a frame that there are', () => {
    const pictures = blocksOf(DOCUMENT).filter(({ language }) => language === '')
    const words = pictures.flatMap(({ text }) => text.match(/\b[A-Z][a-z]+[A-Z]\w+/g) ?? [])
    expect(words).to.include('FrameReader')
    for (const word of words) expect(everything).to.match(new RegExp(`(class|interface) ${word}\\b`))
  })

  it('has folders in its hexagon that there are, and leaves out no adapter', () => {
    const picture = textOf('docs/images/hexagon.svg')
    const words = [...picture.matchAll(/monospace">([^<]+)</g)].flatMap(([, text]) => text.split(' · '))
    const [lower, upper] = [/^[a-z-]+$/, /^[A-Z]\w+$/].map((form) => words.filter((word) => form.test(word)))
    expect(lower).to.include('upstream')
    expect([...folders]).to.include.members(lower)
    for (const word of upper) expect(everything).to.contain(`interface ${word} `)
    const adapters = new Set(sources.flatMap((name) => /^src\/adapters\/([^/]+)\//.exec(name)?.[1] ?? []))
    expect(lower).to.include.members([...adapters])
  })
})

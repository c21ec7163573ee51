import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { referencePath, renderReference } from '../../../../scripts/configuration-reference.js'

describe('docs/configuration.md', () => {
  it('is what the schema says; if it is not: npx tsx scripts/configuration-reference.ts', async () => {
    expect(readFileSync(referencePath, 'utf8')).to.equal(await renderReference())
  })
})

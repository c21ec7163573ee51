import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { entries } from '../../../../src/adapters/config/schema.js'
import { liveKeys } from '../../../../src/application/operations/reload.js'
import { referencePath, renderReference } from '../../../../scripts/configuration-reference.js'

describe('docs/configuration.md', () => {
  it('is what the schema says; if it is not: npx tsx scripts/configuration-reference.ts', async () => {
    expect(readFileSync(referencePath, 'utf8')).to.equal(await renderReference())
  })

  it('names every key with its flag and its environment variables, and says whether it can be changed live', async () => {
    const rows = (await renderReference()).split('\n').filter((line) => line.startsWith('| `'))
    const cells = rows.map((row) =>
      row.split(' | ').map((cell) => cell.replace(/^\| |[ `|]+$|`/g, '').trim()),
    )
    for (const { key, flag, env, alias } of entries) {
      const [, flagCell, environment, , , live] = cells.find(([name]) => name === key)!
      expect([flagCell, environment]).to.deep.equal([flag, alias === undefined ? env : `${env} or ${alias}`])
      expect(live, key).to.equal(liveKeys.has(key) ? 'yes' : '')
    }
    for (const key of liveKeys) expect(entries.map((entry) => entry.key as string)).to.include(key)
  })
})

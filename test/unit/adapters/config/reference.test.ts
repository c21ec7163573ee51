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
    const parts = (await renderReference()).split(/^####? /m).slice(1)
    for (const { key, flag, env, alias, file } of entries) {
      const [, , ...lines] = parts
        .find((part) => part.startsWith(`${key}\n`))!
        .trim()
        .split('\n')
      const names = [flag, env, ...(alias === undefined ? [] : [alias])].map((name) => `\`${name}\``)
      expect(lines).to.include(`- names: ${names.join(', ')}`)
      if (file !== undefined) expect(lines.join('\n'), key).to.contain(`\`${file.key}\`, \`${file.flag}\``)
      expect(lines.includes('- live'), key).to.equal(liveKeys.has(key))
    }
    for (const key of liveKeys) expect(entries.map((entry) => entry.key as string)).to.include(key)
  })
})

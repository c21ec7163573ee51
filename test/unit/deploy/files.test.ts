/** Everything that is there to be deployed can be read by what it's for, and Warren takes its configurations. */
import { parse as parseToml } from 'smol-toml'
import { expect } from 'chai'
import { filesUnder, loadDeployed, textOf, yamlDocuments } from '../../support/project-files.js'

const FILES = [
  ...filesUnder('deploy'),
  ...filesUnder('.github'),
  'docker-compose.yml',
  'docker-compose.test.yml',
]
const endingIn = (...endings: string[]): string[] =>
  FILES.filter((name) => endings.some((ending) => name.endsWith(ending)))

describe('files for deploying', () => {
  it('are there', () => {
    for (const folder of ['docker', 'systemd', 'kubernetes', 'prometheus', 'grafana'])
      expect(
        FILES.filter((name) => name.startsWith(`deploy/${folder}/`)),
        folder,
      ).not.to.be.empty
  })

  for (const name of endingIn('.yml', '.yaml'))
    it(`${name} is YAML`, () => {
      expect(yamlDocuments(name)).not.to.be.empty
    })

  for (const name of endingIn('.json'))
    it(`${name} is JSON`, () => {
      expect(JSON.parse(textOf(name))).to.be.an('object')
    })

  for (const name of endingIn('.toml'))
    it(`${name} is TOML, and a configuration that Warren takes`, () => {
      parseToml(textOf(name))
      expect(loadDeployed(name).warnings).to.deep.equal([])
    })
})

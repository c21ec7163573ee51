/** The Dockerfiles and compose files, as far as they can be judged without an engine. */
import { existsSync } from 'node:fs'
import { expect } from 'chai'
import { entries } from '../../../src/adapters/config/schema.js'
import { pathOf, textOf, yamlDocuments } from '../../support/project-files.js'

interface Instruction {
  readonly name: string
  readonly rest: string
}

interface Compose {
  readonly services: Readonly<
    Record<
      string,
      {
        readonly image?: string
        readonly build?: { readonly context: string; readonly dockerfile: string; readonly args?: object }
        readonly environment?: Readonly<Record<string, string>>
        readonly ports?: readonly string[]
        readonly stop_grace_period?: string
        readonly read_only?: boolean
      }
    >
  >
}

const { listen, shutdown } = {
  listen: Number(entries.find(({ key }) => key === 'listen.port')?.default),
  shutdown: Number(entries.find(({ key }) => key === 'shutdown.timeout')?.default),
}

function instructionsOf(name: string): Instruction[] {
  const lines = textOf(name)
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
  return lines.map((line) => {
    const [, instruction, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
    if (instruction === undefined) throw new Error(`${name}: no instruction: ${line}`)
    return { name: instruction, rest: rest.trim() }
  })
}

/** Images as they are once the defaults of the arguments are in. */
function imagesOf(instructions: readonly Instruction[]): string[] {
  const defaults = new Map(
    instructions.filter(({ name }) => name === 'ARG').map(({ rest }) => rest.split('=') as [string, string]),
  )
  const stages = new Set(instructions.map(({ name, rest }) => name === 'FROM' && rest.split(/ AS /i)[1]))
  return instructions
    .filter(({ name }) => name === 'FROM')
    .map(({ rest }) =>
      rest.split(/ AS /i)[0].replace(/\$\{(\w+)\}/g, (_, argument: string) => defaults.get(argument) ?? '?'),
    )
    .filter((image) => !stages.has(image))
}

for (const name of ['deploy/docker/Dockerfile', 'deploy/docker/test.Dockerfile'])
  describe(name, () => {
    const instructions = instructionsOf(name)
    const lastStage = instructions.slice(instructions.map(({ name }) => name).lastIndexOf('FROM'))

    it('starts from images of a stated version', () => {
      for (const image of imagesOf(instructions)) {
        expect(image).to.match(/^[a-z0-9./-]+:\d[\w.-]*$/)
        expect(image).not.to.contain('latest')
      }
    })

    it('copies what there is, and adds nothing from elsewhere', () => {
      expect(instructions.filter(({ name }) => name === 'ADD')).to.be.empty
      const copies = instructions.filter(({ name, rest }) => name === 'COPY' && !rest.includes('--from='))
      for (const { rest } of copies) {
        const sources = rest
          .split(/\s+/)
          .filter((word) => !word.startsWith('--'))
          .slice(0, -1)
        expect(sources, rest).not.to.be.empty
        for (const source of sources) expect(existsSync(pathOf(source)), source).to.equal(true)
      }
    })

    it('runs as somebody, not as root', () => {
      const user = lastStage.findLast(({ name }) => name === 'USER')?.rest
      expect(user)
        .to.be.a('string')
        .and.not.to.match(/^(root|0)(:|$)/)
    })

    it('runs its program without a shell in between that would keep the signals', () => {
      const entrypoint = lastStage.find(({ name }) => name === 'ENTRYPOINT')?.rest
      expect(JSON.parse(entrypoint ?? '')).to.be.an('array')
    })

    it('says how its health is seen', () => {
      expect(lastStage.filter(({ name }) => name === 'HEALTHCHECK')).to.have.length(1)
    })
  })

describe('the image of Warren', () => {
  const instructions = instructionsOf('deploy/docker/Dockerfile')

  it('exposes the ports that Warren has by default, and runs the program and the check that it copied', () => {
    const rest = (name: string): string | undefined => instructions.find((each) => each.name === name)?.rest
    expect(rest('EXPOSE')).to.equal(`${listen} ${listen + 1000}`)
    expect(rest('ENTRYPOINT')).to.equal('["node", "/opt/warren/dist/main.js"]')
    expect(rest('HEALTHCHECK')).to.contain('/opt/warren/healthcheck.mjs')
    expect(rest('USER')).to.match(/^[1-9]\d*:[1-9]\d*$/)
  })
})

for (const name of ['docker-compose.yml', 'docker-compose.test.yml'])
  describe(name, () => {
    const [{ services }] = yamlDocuments<Compose>(name)

    it('builds from Dockerfiles that are there, with arguments that they have', () => {
      for (const { build } of Object.values(services)) {
        if (build === undefined) continue
        const known = instructionsOf(build.dockerfile)
          .filter(({ name }) => name === 'ARG')
          .map(({ rest }) => rest.split('=')[0])
        expect(known).to.include.members(Object.keys(build.args ?? {}))
      }
    })

    it('takes other images in a stated version', () => {
      for (const { image, build } of Object.values(services))
        if (build === undefined) expect(image).to.match(/:(\$\{\w+:-)?\d/)
    })
  })

describe('the Warren of docker-compose.yml', () => {
  const { warren } = yamlDocuments<Compose>('docker-compose.yml')[0].services

  it('is given nothing that Warren does not know', () => {
    const known = entries.map(({ env }) => env)
    expect(known).to.include.members(Object.keys(warren.environment ?? {}))
  })

  it('is reached by this machine alone, where it listens', () => {
    expect(warren.ports).to.deep.equal([
      `127.0.0.1:${listen}:${listen}`,
      `127.0.0.1:${listen + 1000}:${listen + 1000}`,
    ])
  })

  it('has the time that a shutdown may take, and a root file system that nobody can write', () => {
    expect(Number.parseInt(warren.stop_grace_period ?? '0')).to.be.above(shutdown)
    expect(warren.read_only).to.equal(true)
  })
})

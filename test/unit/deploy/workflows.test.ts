/** The workflows of GitHub Actions, as far as they can be judged here; CI has actionlint for the rest. */
import { existsSync } from 'node:fs'
import { expect } from 'chai'
import { filesUnder, pathOf, textOf, yamlDocuments } from '../../support/project-files.js'

interface Step {
  readonly name?: string
  readonly uses?: string
  readonly run?: string
}

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly needs?: string | readonly string[]
        readonly 'timeout-minutes': number
        readonly permissions?: Readonly<Record<string, string>>
        readonly strategy?: { readonly matrix: Readonly<Record<string, readonly (string | number)[]>> }
        readonly container?: { readonly image: string }
        readonly defaults?: { readonly run: { readonly shell: string } }
        readonly steps: readonly Step[]
      }
    >
  >
}

const { scripts, engines } = JSON.parse(textOf('package.json')) as {
  scripts: Readonly<Record<string, string>>
  engines: { node: string }
}

for (const file of filesUnder('.github/workflows'))
  describe(file, () => {
    const [{ jobs, permissions }] = yamlDocuments<Workflow>(file)
    const steps = Object.values(jobs).flatMap((job) => job.steps)

    it('has steps that either run something or use an action of a stated version', () => {
      for (const { uses, run } of steps) {
        expect(uses === undefined).to.equal(run !== undefined)
        if (uses !== undefined) expect(uses).to.match(/^[\w-]+\/[\w-]+@v\d+/)
      }
    })

    it('runs npm scripts and files that there are', () => {
      const commands = steps.map(({ run }) => run ?? '').join('\n')
      for (const [, name] of commands.matchAll(/npm run (?:--\S+ )*([\w:-]+)/g))
        expect(scripts).to.have.property(name)
      for (const [path] of commands.matchAll(/\b(?:scripts|deploy)\/[\w./-]*\.\w+/g))
        expect(existsSync(pathOf(path)), path).to.equal(true)
    })

    it('may read the repository alone unless a job says otherwise, and ends in time', () => {
      expect(permissions).to.deep.equal({ contents: 'read' })
      for (const job of Object.values(jobs)) expect(job['timeout-minutes']).to.be.a('number')
    })

    it('notices when the first command of a pipe fails', () => {
      // GitHub's own choice of shell is bash without pipefail; asked for by name it has it.
      for (const [name, { defaults, steps }] of Object.entries(jobs))
        if (steps.some(({ run }) => /[^|]\|(?!\|)/.test(run ?? '')))
          expect(defaults?.run.shell, name).to.equal('bash')
    })

    it('waits for jobs that there are', () => {
      const needed = Object.values(jobs).flatMap(({ needs = [] }) => needs)
      expect(Object.keys(jobs)).to.include.members(needed)
    })
  })

describe('CI', () => {
  const { test } = yamlDocuments<Workflow>('.github/workflows/ci.yml')[0].jobs

  it('tries every supported pair of Node.js and RabbitMQ', () => {
    const { node, rabbitmq } = test.strategy!.matrix
    expect(node).to.deep.equal([20, 22, 24])
    expect(engines.node).to.match(new RegExp(`^>=${node[0]}\\.`))
    expect(rabbitmq).to.deep.equal(['3.13', '4.0', '4.1', '4.2', '4.3'])
    expect(test.container?.image).to.equal('rabbitmq:${{ matrix.rabbitmq }}')
  })
})

describe('a release', () => {
  const { jobs } = yamlDocuments<Workflow>('.github/workflows/release.yml')[0]

  it('is made of nothing that was not tested', () => {
    for (const [name, { needs }] of Object.entries(jobs)) if (name !== 'test') expect(needs).to.equal('test')
  })

  it('publishes the package with its provenance, which a token of the workflow signs', () => {
    expect(jobs.npm.steps.map(({ run }) => run)).to.include('npm publish --provenance --access public')
    expect(jobs.npm.permissions).to.include({ 'id-token': 'write' })
  })
})

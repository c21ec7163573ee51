/** The documents say what is true: commands that there are, options that exist, configurations that Warren takes, links that lead somewhere. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { stub } from 'sinon'
import { parse as parseYaml } from 'yaml'
import { ManagementClient, Unreachable } from '../../../src/adapters/cli/management-client.js'
import { run as runTool } from '../../../src/adapters/cli/run.js'
import { readCommandLine } from '../../../src/adapters/config/command-line.js'
import { loadSettings } from '../../../src/adapters/config/load-settings.js'
import { entries } from '../../../src/adapters/config/schema.js'
import { variableNames } from '../../../src/adapters/config/environment.js'
import { anchorOf, blocksOf, commandsOf, documents } from '../../support/documents.js'
import { pathOf, textOf } from '../../support/project-files.js'

const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Readonly<Record<string, string>> }
const EXIT_USAGE = 2

/** What is known of each command: it complains of what isn't as it should be. */
type Check = (words: readonly string[]) => void | Promise<void>

const exists = (path: string): void => {
  expect(existsSync(pathOf(path)), path).to.equal(true)
}

const checkWarren: Check = (words) => {
  expect(readCommandLine(words).problems).to.deep.equal([])
}

/** Where each script says which options it has; all have --help. */
const usages: Readonly<Record<string, readonly string[]>> = {
  bench: ['bench/options.ts'],
  fuzz: ['test/fuzz/run.ts'],
  quickstart: ['scripts/quickstart.mjs'],
  soak: ['test/soak/run.ts'],
  test: ['scripts/test.mjs'],
}

/**
 * Without a server to talk to: what it thinks of its command line it says before. A Warren may be running on this machine, and the
 * documents have commands that end it: each of them must end here.
 */
const checkTool: Check = async (words) => {
  const nobody = 'nobody is asked in unit tests'
  const asking = stub(ManagementClient.prototype, 'ask').rejects(new Unreachable(nobody))
  let complaint = ''
  try {
    const terminal = { argv: words, env: {}, version: '0', write: () => true, isTerminal: false }
    const code = await runTool({ ...terminal, complain: (text: string) => (complaint += text) })
    expect(code, complaint).not.to.equal(EXIT_USAGE)
    expect(complaint).to.contain(nobody)
  } finally {
    asking.restore()
  }
}

/** After these words comes a file or a folder of the project. */
const pathsAfter =
  (...flags: string[]): Check =>
  (words) =>
    words.forEach((word, at) => {
      if (flags.includes(word)) exists(words[at + 1])
    })

const anything: Check = () => undefined

const checks: Readonly<Record<string, Check>> = {
  npm: ([verb, ...words]) => {
    expect(['ci', 'run', 'test', 'install', 'pack', 'audit']).to.include(verb)
    const script = verb === 'run' ? words.find((word) => !word.startsWith('-')) : verb
    if (verb === 'run') expect(scripts).to.have.property(script ?? '')
    const usage = usages[script ?? '']?.map(textOf).join()
    if (usage !== undefined)
      for (const [flag] of words.map((word) => word.split('=')))
        if (/^--[a-z]/.test(flag) && flag !== '--help')
          expect(usage, `what ${script} is told`).to.match(new RegExp(`${flag}(?![\\w-])`))
    if (verb === 'test') for (const word of words) if (word.startsWith('test/')) exists(word)
  },
  npx: ([program, ...words]) => {
    exists(`node_modules/.bin/${program}`)
    for (const word of words) if (/^[\w-]+\//.test(word)) exists(word)
  },
  node: ([file, ...words]) => {
    const source = file.replace(/^dist\/(.*)\.js$/, 'src/$1.ts')
    exists(source)
    if (source === 'src/main.ts') return checkWarren(words)
    if (source === 'src/ctl.ts') return checkTool(words)
  },
  warren: checkWarren,
  '/opt/warren/bin/warren': checkWarren,
  warrenctl: checkTool,
  '/opt/warren/bin/warrenctl': checkTool,
  docker: (words) => {
    if (words[0] === 'compose') exists('docker-compose.yml')
    return pathsAfter('--file')(words)
  },
  kubectl: pathsAfter('-k'),
  install: (words) => exists(words.find((word) => /^\w+\//.test(word)) ?? 'nothing to install'),
  // Run by test/integration/documented-commands.test.ts.
  curl: anything,
  openssl: anything,
  printf: anything,
  'systemd-sysusers': anything,
  systemctl: ([verb]) => {
    expect(['daemon-reload', 'enable', 'reload', 'stop', 'restart', 'status']).to.include(verb)
  },
}

describe('docs/operations.md', () => {
  it('shows every verb of warrenctl', async () => {
    let help = ''
    const terminal = { argv: ['--help'], env: {}, version: '0', isTerminal: false }
    await runTool({ ...terminal, write: (text) => (help += text), complain: () => undefined })
    const [, commands] = help.split('Commands:\n')
    const verbs = [...commands.matchAll(/^ {2}([a-z]\S*)/gm)].map(([, verb]) => verb)
    expect(verbs).to.include.members(['aside', 'retry', 'drop', 'health'])
    const block = blocksOf('docs/operations.md').find(({ text }) => text.includes('ctl.js status'))!.text
    for (const verb of verbs.filter((name) => name !== 'help'))
      expect(block).to.match(new RegExp(`\\b${verb}\\b`))
  })
})

describe('README.md', () => {
  it('gives options the defaults that they have', () => {
    const rows = [...textOf('README.md').matchAll(/^\| `--([a-z-]+)` +\| (\S+) +\|/gm)]
    expect(rows).to.have.length.above(4)
    for (const [, flag, value] of rows) {
      const entry = entries.find(({ key }) => key.replace(/[._]/g, '-') === flag)
      expect(value.replaceAll('`', ''), flag).to.equal(String(entry?.default))
    }
  })
})

describe('docs/operations.md, Alerts', () => {
  it('says of every alert what it means, and of none that there is not', () => {
    const rules = [...textOf('deploy/prometheus/alerts.yml').matchAll(/- alert: (\w+)/g)]
    const [, section] = textOf('docs/operations.md').split('\n## Alerts\n')
    const rows = [...section.split('\n## ')[0].matchAll(/^\| `(\w+)`/gm)]
    expect(rules).to.have.length.above(10)
    expect(rows.map(([, name]) => name)).to.have.members(rules.map(([, name]) => name))
  })
})

describe('documents', () => {
  it('are there', () => {
    expect(documents).to.include.members([
      'README.md',
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'SECURITY.md',
      'docs/adapters.md',
      'docs/architecture.md',
      'docs/compatibility.md',
      'docs/configuration.md',
      'docs/deployment.md',
      'docs/moving.md',
      'docs/operations.md',
      'docs/reliability.md',
    ])
  })
})

for (const document of documents)
  describe(document, () => {
    for (const { at, language, text, source } of blocksOf(document)) {
      if (language === 'sh' || language === 'bash' || language === 'console')
        it(`has commands at ${at} that a shell and their programs understand`, async () => {
          const { status, stderr } = spawnSync('sh', ['-n'], { input: text, encoding: 'utf8' })
          expect(status, stderr).to.equal(0)
          const commands = commandsOf(text)
          expect(commands).not.to.be.empty
          for (const [name, ...words] of commands) {
            expect(checks, `what ${name} may be asked for`).to.have.property(name)
            await checks[name](words)
          }
        })
      else if (language === 'toml' || (language === 'json' && text.includes('"upstream"')))
        it(`has a configuration at ${at} that Warren takes`, () => {
          const name = `/block.${language}`
          const readFile = (path: string): string => (path === name ? text : 'a-secret-of-the-test')
          expect(() => loadSettings({ argv: ['--config', name], env: {}, cwd: '/', readFile })).not.to.throw()
        })
      else if (language === 'json')
        it(`has JSON at ${at}`, () => {
          expect(() => JSON.parse(text) as unknown).not.to.throw()
        })
      else if (language === 'yaml')
        it(`has YAML at ${at}`, () => {
          expect(() => parseYaml(text, { strict: true }) as unknown).not.to.throw()
        })
      else if (language === 'ts')
        it(`has code at ${at} that is compiled, and run by a test`, () => {
          expect(source, 'the file, in a comment before the block').to.be.a('string')
          expect(text).to.equal(textOf(source!))
        })
      else if (language === '')
        it(`has a picture at ${at}, or commands that their programs understand`, async () => {
          for (const [name, ...words] of commandsOf(text)) await checks[name]?.(words)
        })
      else
        it(`has code at ${at} in a language that is checked`, () => {
          expect.fail(`nobody checks ${language}`)
        })
    }

    it('names scripts, and variables of Warren, that there are', () => {
      const text = textOf(document)
      for (const [, name] of text.matchAll(/`npm run (?:--\S+ )*([\w:-]+)/g))
        expect(scripts).to.have.property(name)
      // Kubernetes makes this of the name of a service.
      const known = [...variableNames, 'AMQP_PORT']
      for (const [name] of text.matchAll(/\bAMQP_[A-Z_]+[A-Z]\b/g)) expect(known).to.include(name)
    })

    it('has links that lead somewhere', () => {
      for (const [, target] of textOf(document).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)) {
        const [path, anchor] = target.split('#')
        const file = path === '' ? document : join(dirname(document), path)
        exists(file)
        if (anchor === undefined) continue
        const headings = [...textOf(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading))
        expect(headings, target).to.include(anchor)
      }
    })
  })

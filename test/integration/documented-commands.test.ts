/** Commands of the documents that a look at them can't judge, run as they stand there, but for ports. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import amqplib from 'amqplib'
import { expect } from 'chai'
import { missingClient } from '../../scripts/client-packages.mjs'
import { blocksOf, commandsOf } from '../support/documents.js'
import { freePort } from '../support/free-port.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'

const TOKEN = 'a-token-of-the-test'
const CTL = fileURLToPath(new URL('../../dist/ctl.js', import.meta.url))

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

describe('documented commands', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess | undefined
  let folder: string

  before(async () => {
    broker = await sharedBroker()
    folder = mkdtempSync(join(tmpdir(), 'warren-documents-'))
  })
  afterEach(() => warren?.stop())
  after(() => rmSync(folder, { recursive: true }))

  /** Runs a script of sh, in the folder of this test. */
  function shell(script: string): Promise<Result> {
    const env = { PATH: process.env['PATH'], LC_ALL: 'C', WARREN_TOKEN: TOKEN }
    return new Promise((resolve) => {
      execFile('sh', ['-c', script], { cwd: folder, env }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      )
    })
  }

  /** The lines of the document's shell blocks that begin with `word`. */
  function linesOf(document: string, word: string): string[] {
    return blocksOf(document)
      .filter(({ language }) => language === 'sh')
      .flatMap(({ text }) => text.split('\n'))
      .filter((line) => line.startsWith(`${word} `))
  }

  const curls = linesOf('docs/operations.md', 'curl')
  for (const [what, commands, args] of [
    ['without a token', curls.filter((line) => !line.includes('TOKEN')), []],
    ['with one', curls.filter((line) => line.includes('TOKEN')), ['--management-token', TOKEN]],
  ] as const)
    it(`of curl do what they are there for, ${what}`, async function () {
      const why = missingClient('curl, jq and bc')
      if (why !== undefined) {
        console.log(`      ${why}`)
        this.skip()
      }
      warren = await WarrenProcess.start(broker.port, [...args])
      expect(commands).not.to.be.empty
      const { managementPort } = warren
      for (const command of commands) {
        const { code, stdout, stderr } = await shell(
          command.replace('6673', String(managementPort)).replace('curl ', 'curl --fail-with-body '),
        )
        expect(code, `${command}: ${stdout}${stderr}`).to.equal(0)
        expect(JSON.parse(stdout), command).to.be.an('object')
      }
    })

  it('of warrenctl do what they are there for, or say what is missing for it', async () => {
    const block = blocksOf('docs/operations.md').find(({ text }) => text.includes('dist/ctl.js status'))!
    const all = commandsOf(block.text).map(([, , ...words]) => words)
    expect(all).to.have.length.above(15)
    const port = await freePort()
    warren = await WarrenProcess.start(broker.port, ['--listen-port', String(port), '--shutdown-grace', '0'])
    const connection = await amqplib.connect(`amqp://guest:guest@127.0.0.1:${port}`)
    connection.on('error', () => undefined)
    await (await connection.createChannel()).assertQueue('', { exclusive: true })
    const isDrain = (words: string[]): boolean => words[0] === 'drain'
    // What ends Warren comes last, and what goes on for ever is looked at once.
    for (const words of [...all.filter((each) => !isDrain(each)), ...all.filter(isDrain)]) {
      const typed = words
        .map((word) => (word === '5673' ? String(port) : word))
        .concat(words[0] === 'top' ? ['--once'] : [])
      const { code, stdout, stderr } = await new Promise<Result>((resolve) => {
        const env = { PATH: process.env['PATH'], WARREN_PORT: String(warren!.managementPort) }
        execFile(process.execPath, [CTL, ...typed], { env }, (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
        )
      })
      const what = `${words.join(' ')}: ${stdout}${stderr}`
      // Nothing has the number that the document makes up, and one process has no workers.
      if (['retry', 'drop', 'kill', 'restart-workers'].includes(words[0])) {
        expect(stderr, what).to.match(/^Error: there (is|are) no /)
        expect(code, what).to.equal(1)
      } else {
        expect(code, what).to.equal(0)
        expect(stdout, what).not.to.equal('')
      }
    }
    expect(await warren.exited).to.include({ code: 0 })
  })

  it('of openssl make certificates with which Warren and a client believe each other', async () => {
    const trial = blocksOf('docs/tls.md').filter(({ text }) => text.includes('openssl '))
    expect(trial).to.have.length(2)
    const made = await shell(`set -e\n${trial[0].text}`)
    expect(made.code, made.stderr).to.equal(0)
    const path = (name: string): string => join(folder, name)
    const [start, look] = trial[1].text.trim().split('\n')
    const words = start.split(' ').slice(2, -1)
    expect(words).to.include('--tls-enabled')
    const args = words.map((word) => (/\.(pem|key)$/.test(word) ? path(word) : word))
    warren = await WarrenProcess.start(broker.port, [...args, '--tls-port', '0'])
    const looked = await shell(look.replace('5671', String(warren.tlsPort)))
    expect(looked.code, looked.stderr).to.equal(0)
    expect(looked.stdout + looked.stderr).to.contain('Verification: OK')
    const [ca, cert, key] = ['ca.pem', 'client.pem', 'client.key'].map((name) => readFileSync(path(name)))
    const connection = await amqplib.connect(`amqps://guest:guest@localhost:${warren.tlsPort}`, {
      ca: [ca],
      cert,
      key,
    })
    await connection.close()
    const stranger: unknown = await amqplib
      .connect(`amqps://guest:guest@localhost:${warren.tlsPort}`, { ca: [ca] })
      .catch((error: unknown) => error)
    expect(stranger).to.be.instanceOf(Error)
  })
})

/** Commands of the documents that a look at them can't judge, run as they stand there, but for ports. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import amqplib from 'amqplib'
import { expect } from 'chai'
import { missingClient } from '../../scripts/client-packages.mjs'
import { blocksOf } from '../support/documents.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'

const TOKEN = 'a-token-of-the-test'

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

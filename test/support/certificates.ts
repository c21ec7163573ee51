/** Makes certificates for tests with the openssl command: authorities, servers, clients, and those that nobody should take. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'warren-certificates-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
let made = 0

/** A certificate and its key, as files. */
export interface KeyPairFiles {
  readonly cert: string
  readonly key: string
}

export interface CertificateOptions {
  readonly commonName?: string
  /** In place of that alone, as openssl writes it: `/OU=x/CN=y`. */
  readonly subject?: string
  /** As openssl writes them: `DNS:localhost`, `IP:127.0.0.1`, `email:a@b`, `URI:spiffe://x`. */
  readonly names?: readonly string[]
  /** Days until it expires; below 0 it has expired. */
  readonly days?: number
  /** RSA for clients that are older than elliptic curves. */
  readonly rsa?: boolean
}

/** What a server on this machine is called. */
export const LOCAL_NAMES = ['DNS:localhost', 'IP:127.0.0.1']

/** Somebody who issues certificates. */
export class TestAuthority {
  /** The file with its own certificate. */
  readonly cert: string
  readonly #key: string

  constructor(readonly name = 'Warren test CA') {
    const base = join(folder, `ca${++made}`)
    this.cert = `${base}.pem`
    this.#key = `${base}.key`
    openssl(
      'req',
      '-x509',
      ...newKey(false),
      '-keyout',
      this.#key,
      '-out',
      this.cert,
      '-days',
      '2',
      ...['-subj', `/CN=${name}`, '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    )
  }

  /** A certificate that it has issued, good for servers and clients. */
  issue({
    commonName = 'localhost',
    subject = `/CN=${commonName.replace(/[\\/+]/g, '\\$&')}`,
    names = [],
    days = 2,
    rsa = false,
  }: CertificateOptions = {}): KeyPairFiles {
    const base = join(folder, `cert${++made}`)
    const [cert, key, request, extensions] = ['.pem', '.key', '.csr', '.ext'].map((end) => base + end)
    openssl('req', '-new', ...newKey(rsa), '-keyout', key, '-out', request, '-utf8', '-subj', subject)
    const lines = ['basicConstraints=CA:FALSE', 'extendedKeyUsage=serverAuth,clientAuth']
    if (names.length > 0) lines.push(`subjectAltName=${names.join(',')}`)
    writeFileSync(extensions, lines.join('\n'))
    openssl(
      'x509',
      '-req',
      '-in',
      request,
      '-CA',
      this.cert,
      '-CAkey',
      this.#key,
      '-CAcreateserial',
      ...['-days', String(days), '-extfile', extensions, '-out', cert],
    )
    return { cert, key }
  }

  /** A certificate for a server on this machine. */
  server(options: CertificateOptions = {}): KeyPairFiles {
    return this.issue({ commonName: 'localhost', names: LOCAL_NAMES, ...options })
  }
}

/** A certificate that its owner has issued to itself. */
export function selfSigned(commonName = 'localhost', names: readonly string[] = LOCAL_NAMES): KeyPairFiles {
  const base = join(folder, `self${++made}`)
  const [cert, key] = [`${base}.pem`, `${base}.key`]
  openssl(
    'req',
    '-x509',
    ...newKey(false),
    '-keyout',
    key,
    '-out',
    cert,
    '-days',
    '2',
    '-subj',
    `/CN=${commonName}`,
    ...['-addext', `subjectAltName=${names.join(',')}`],
  )
  return { cert, key }
}

/** A path for a file of a test's own, which is removed with the others. */
export function scratchFile(name: string): string {
  return join(folder, `${++made}-${name}`)
}

/** What stands in a file. */
export function textOf(path: string): string {
  return readFileSync(path, 'utf8')
}

function newKey(rsa: boolean): string[] {
  const kind = rsa ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  return ['-nodes', '-newkey', ...kind]
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** Everything that is wrong with the certificates of a configuration, where the store stops at the first mistake. */
import { CertificateError, type CertificateSettings } from '../../application/ports/certificate-store.js'
import type { PemSource } from '../../application/settings.js'
import type { Problem } from '../config/problem.js'
import type { ReadFile } from '../config/read-file.js'
import { FileCertificateStore, keyPairOf, readText } from './file-certificate-store.js'
import { type Pem, certificatesIn, privateKeyIn, readPem } from './pem.js'

/** What a {@link FileCertificateStore} would refuse of `settings`, one line each. What isn't given at all is for others to judge. */
export function certificateProblems(settings: CertificateSettings, readFile: ReadFile = readText): Problem[] {
  const problems: Problem[] = []
  /** What `read` gives, if it can be used. */
  const attempt = <T>(keys: readonly string[], read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error
      problems.push({ keys, line: error.message })
      return undefined
    }
  }
  const use = (
    key: string,
    number: string,
    source: PemSource | undefined,
    look: (pem: Pem) => unknown,
  ): Pem | undefined =>
    source === undefined || source.reveal() === ''
      ? undefined
      : attempt([key], () => {
          const pem = readPem(`${key}${number}`, source, readFile)
          look(pem)
          return pem
        })
  const usePair = (keys: readonly [string, string], number: string, pair: PemPair): void => {
    const cert = use(keys[0], number, pair.cert, certificatesIn)
    const key = use(keys[1], number, pair.key, privateKeyIn)
    if (cert !== undefined && key !== undefined) attempt(keys, () => keyPairOf(cert, key))
  }

  const { tls, upstreamTls } = settings
  if (tls.enabled) {
    for (const [at, pair] of tls.certificates.entries())
      usePair(['tls.cert', 'tls.key'], tls.certificates.length === 1 ? '' : ` number ${at + 1}`, pair)
    use('tls.ca', '', tls.ca, certificatesIn)
  }
  if (upstreamTls.client !== undefined)
    usePair(['upstream_tls.client_cert', 'upstream_tls.client_key'], '', upstreamTls.client)
  use('upstream_tls.ca', '', upstreamTls.ca, certificatesIn)
  // OpenSSL has the last word, about what looks right.
  const isWhole = [...tls.certificates, upstreamTls.client ?? []].flat().every(isComplete)
  if (problems.length === 0 && isWhole)
    attempt(['tls.cert', 'tls.key', 'upstream_tls.client_cert', 'upstream_tls.client_key'], () => {
      new FileCertificateStore(settings, readFile)
    })
  return problems
}

interface PemPair {
  readonly cert: PemSource
  readonly key: PemSource
}

function isComplete({ cert, key }: PemPair): boolean {
  return cert.reveal() !== '' && key.reveal() !== ''
}

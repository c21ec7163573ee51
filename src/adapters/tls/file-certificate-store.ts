/** Certificates and keys from files or from the configuration itself, ready for OpenSSL. */
import type { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type SecureContext, type SecureContextOptions, createSecureContext } from 'node:tls'
import {
  CertificateError,
  type CertificateInUse,
  type CertificateSettings,
  type CertificateStore,
  type CertificateUse,
} from '../../application/ports/certificate-store.js'
import type { ClientCertificates, PemSource } from '../../application/settings.js'
import type { ReadFile } from '../config/read-file.js'
import { shortNameOf } from './certificate-names.js'
import { type Pem, certificatesIn, privateKeyIn, readPem } from './pem.js'

/** Forward secrecy and authenticated encryption, as all clients of the last ten years have them. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** What the listener needs. */
export interface ListenerTls {
  /** For clients that name no server, or none that another certificate is for. */
  readonly defaults: SecureContextOptions
  readonly clientCertificates: ClientCertificates
  /** The context for a server name; undefined for the default. */
  contextFor(serverName: string): SecureContext | undefined
}

/** What the dialer needs. */
export interface UpstreamTls {
  readonly context: SecureContext
  readonly serverName: string | undefined
  readonly skipVerify: boolean
  readonly hasClientCertificate: boolean
}

interface Loaded {
  readonly listener: ListenerTls | undefined
  readonly upstream: UpstreamTls
  readonly inUse: readonly CertificateInUse[]
}

/** A certificate with its chain, and the key that belongs to it. */
export interface KeyPair {
  readonly certificates: readonly [X509Certificate, ...X509Certificate[]]
  readonly cert: string
  readonly key: string
}

/** The CertificateStore for OpenSSL. */
export class FileCertificateStore implements CertificateStore {
  readonly #readFile: ReadFile
  #loaded: Loaded
  #onLoaded: (() => void)[] = []

  /** Throws {@link CertificateError}. */
  constructor(settings: CertificateSettings, readFile: ReadFile = readText) {
    this.#readFile = readFile
    this.#loaded = this.#stage(settings)
  }

  get inUse(): readonly CertificateInUse[] {
    return this.#loaded.inUse
  }

  /** Undefined without a TLS listener. */
  get listener(): ListenerTls | undefined {
    return this.#loaded.listener
  }

  get upstream(): UpstreamTls {
    return this.#loaded.upstream
  }

  /** Hears that there is something new. */
  onLoaded(callback: () => void): void {
    this.#onLoaded.push(callback)
  }

  load(settings: CertificateSettings): void {
    this.#loaded = this.#stage(settings)
    for (const callback of this.#onLoaded) callback()
  }

  #stage({ tls, upstreamTls }: CertificateSettings): Loaded {
    const inUse = new InUse()
    const pairs = tls.enabled
      ? tls.certificates.map(({ cert, key }, at) => {
          const number = tls.certificates.length === 1 ? '' : ` number ${at + 1}`
          const pair = this.#pair({ cert: `tls.cert${number}`, key: `tls.key${number}` }, cert, key)
          inUse.add('listener', pair.certificates[0])
          return pair
        })
      : []
    const client =
      upstreamTls.client &&
      this.#pair(
        { cert: 'upstream_tls.client_cert', key: 'upstream_tls.client_key' },
        upstreamTls.client.cert,
        upstreamTls.client.key,
      )
    if (client !== undefined) inUse.add('upstream_client', client.certificates[0])
    const clientsCa = tls.enabled ? this.#authorities('tls.ca', tls.ca) : undefined
    clientsCa?.forEach((certificate) => inUse.add('listener_ca', certificate))
    const brokersCa = this.#authorities('upstream_tls.ca', upstreamTls.ca)
    brokersCa?.forEach((certificate) => inUse.add('upstream_ca', certificate))
    const ofListener = { ciphers: CIPHERS, minVersion: tls.minVersion, ...trusting(clientsCa) }
    return {
      listener: pairs.length === 0 ? undefined : listenerOf(pairs, ofListener, tls.clientCertificates),
      upstream: {
        context: contextOf('upstream_tls', {
          minVersion: 'TLSv1.2',
          ...trusting(brokersCa),
          ...(client === undefined ? {} : { cert: client.cert, key: client.key }),
        }),
        serverName: upstreamTls.serverName,
        skipVerify: upstreamTls.skipVerify,
        hasClientCertificate: client !== undefined,
      },
      inUse: inUse.list,
    }
  }

  #pair(names: { cert: string; key: string }, certSource: PemSource, keySource: PemSource): KeyPair {
    const cert = readPem(names.cert, certSource, this.#readFile)
    return keyPairOf(cert, readPem(names.key, keySource, this.#readFile))
  }

  #authorities(name: string, source: PemSource | undefined): X509Certificate[] | undefined {
    return source && certificatesIn(readPem(name, source, this.#readFile))
  }
}

/** Throws {@link CertificateError} where the two don't belong together. */
export function keyPairOf(cert: Pem, key: Pem): KeyPair {
  const certificates = certificatesIn(cert) as [X509Certificate, ...X509Certificate[]]
  const privateKey = privateKeyIn(key)
  if (!certificates[0].checkPrivateKey(privateKey))
    throw new CertificateError(mismatch(cert, key, certificates))
  return { certificates, cert: cert.text, key: key.text }
}

/** The chain has to begin with the certificate of the key; often it's just in the wrong order. */
function mismatch(cert: Pem, key: Pem, [first]: KeyPair['certificates']): string {
  return `${key.origin}: the key doesn't belong to the first certificate in ${cert.origin}, which is that of ${shortNameOf(first)}`
}

function listenerOf(
  pairs: readonly KeyPair[],
  options: SecureContextOptions,
  clientCertificates: ClientCertificates,
): ListenerTls {
  const contexts = pairs.map(({ cert, key, certificates }) => ({
    certificate: certificates[0],
    context: contextOf('tls', { ...options, cert, key }),
  }))
  return {
    defaults: { ...options, cert: pairs[0].cert, key: pairs[0].key },
    clientCertificates,
    contextFor: (name) =>
      contexts.find(({ certificate }) => certificate.checkHost(name) !== undefined)?.context,
  }
}

function trusting(authorities: readonly X509Certificate[] | undefined): { ca?: string[] } {
  return authorities === undefined ? {} : { ca: authorities.map((certificate) => certificate.toString()) }
}

/** OpenSSL has the last word: keys that are too small, for instance. */
function contextOf(section: string, options: SecureContextOptions): SecureContext {
  try {
    return createSecureContext(options)
  } catch (error) {
    const { reason, code } = error as { reason?: string; code?: string }
    throw new CertificateError(
      `${section}: OpenSSL refuses the certificate or key: ${reason ?? code ?? 'unknown reason'}`,
    )
  }
}

class InUse {
  readonly list: CertificateInUse[] = []

  add(use: CertificateUse, certificate: X509Certificate): void {
    const { fingerprint256: fingerprint, validFrom, validTo } = certificate
    if (this.list.some((other) => other.use === use && other.fingerprint === fingerprint)) return
    this.list.push({
      use,
      fingerprint,
      name: shortNameOf(certificate),
      notBefore: Date.parse(validFrom),
      notAfter: Date.parse(validTo),
    })
  }
}

/** PEM is ASCII; whatever else a file holds can be looked at all the same. */
export function readText(path: string): string {
  return readFileSync(path, 'latin1')
}

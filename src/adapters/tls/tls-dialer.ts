/** Opens connections to the broker, with TLS where the endpoint asks for it. */
import { type Socket, isIP } from 'node:net'
import { type TLSSocket, checkServerIdentity, connect } from 'node:tls'
import type { ByteStream } from '../../application/ports/byte-stream.js'
import { type Dialer, type Endpoint, nameOf } from '../../application/ports/dialer.js'
import { codeOf } from '../node-error.js'
import { NetByteStream } from '../net/net-byte-stream.js'
import type { NetDialer } from '../net/net-dialer.js'
import type { FileCertificateStore } from './file-certificate-store.js'
import { type Dialled, wordsForCertificate, wordsForFailure, wordsForSilentEnd } from './upstream-words.js'

/** A Dialer for both kinds of endpoints. */
export class TlsDialer implements Dialer {
  readonly #net: NetDialer
  readonly #store: Pick<FileCertificateStore, 'upstream'>

  constructor(net: NetDialer, store: Pick<FileCertificateStore, 'upstream'>) {
    this.#net = net
    this.#store = store
  }

  resolve(endpoint: Endpoint): Promise<readonly Endpoint[]> {
    return this.#net.resolve(endpoint)
  }

  async dial(endpoint: Endpoint, timeoutMs: number): Promise<ByteStream> {
    if (endpoint.tls !== true) return this.#net.dial(endpoint, timeoutMs)
    const begun = performance.now()
    const socket = await this.#net.connect(endpoint, timeoutMs)
    return this.#secure(socket, endpoint, Math.max(1, timeoutMs - (performance.now() - begun)), timeoutMs)
  }

  #secure(socket: Socket, endpoint: Endpoint, leftMs: number, timeoutMs: number): Promise<ByteStream> {
    const { context, serverName, skipVerify, hasClientCertificate } = this.#store.upstream
    const expected = serverName ?? endpoint.host
    const dialled: Dialled = { node: nameOf(endpoint), expected, hasClientCertificate }
    return new Promise((resolve, reject) => {
      const tls = connect({
        socket,
        secureContext: context,
        // An address is no server name (RFC 6066, 3).
        servername: isIP(expected) === 0 ? expected : '',
        checkServerIdentity: (_, certificate) => checkServerIdentity(expected, certificate),
        // Judged below, before a byte is sent: by then there's a certificate whose dates and names can be told.
        rejectUnauthorized: false,
      })
      const fail = (reason: string): void => {
        clearTimeout(timer)
        tls.on('error', () => undefined)
        tls.destroy()
        reject(new Error(reason))
      }
      const onError = (error: Error): void => fail(wordsForFailure(error, dialled))
      const timer = setTimeout(
        () => fail(`TLS: no handshake within ${timeoutMs / 1000} s with ${dialled.node}`),
        leftMs,
      )
      tls.once('error', onError)
      tls.once('secureConnect', () => {
        if (!tls.authorized && !skipVerify) return fail(whyNot(tls, dialled))
        clearTimeout(timer)
        tls.off('error', onError)
        resolve(
          new NetByteStream(tls, { explain: (reason) => explain(reason, dialled, tls.bytesRead === 0) }),
        )
      })
    })
  }
}

function whyNot(tls: TLSSocket, dialled: Dialled): string {
  return wordsForCertificate(String(tls.authorizationError), tls.getPeerCertificate(true), dialled)
}

/**
 * With TLS 1.3 the broker says only after our part of the handshake that it doesn't take our certificate, or misses one. It closes the
 * connection behind that, and what we have sent meanwhile makes a reset of it, by which its last word can get lost. What remains may look
 * like an end in order too: Node hides errors of the socket beneath TLS.
 */
function explain(reason: Error | undefined, dialled: Dialled, isSilent: boolean): Error | undefined {
  const isCut = reason !== undefined && isReset(reason)
  if (isSilent && (reason === undefined || isCut))
    return new Error(wordsForSilentEnd(isCut ? 'cut' : 'closed', dialled), { cause: reason })
  return reason === undefined ? undefined : new Error(wordsForFailure(reason, dialled), { cause: reason })
}

function isReset(error: Error): boolean {
  const code = codeOf(error)
  return code === 'ECONNRESET' || code === 'EPIPE'
}

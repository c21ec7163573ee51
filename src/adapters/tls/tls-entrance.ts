/** The TLS handshake with clients. */
import type { Socket } from 'node:net'
import { type TLSSocket, type Server, createServer } from 'node:tls'
import { NO_CERTIFICATE } from '../../domain/external-identity.js'
import type { Entered, Entrance } from '../net/approach.js'
import { namesOf } from './certificate-names.js'
import { wordsForClientCertificate, wordsForClientFailure } from './client-words.js'
import type { FileCertificateStore, ListenerTls } from './file-certificate-store.js'

interface Pending {
  readonly onEntered: (entered: Entered) => void
  /** Known before the socket is closed. */
  reason: string | undefined
}

/** Does the handshake by a tls.Server that listens nowhere: connections are handed to it. */
export class TlsEntrance implements Entrance {
  readonly #pending = new Map<string, Pending>()
  /** The same by the socket that was handed in. */
  readonly #bySocket = new WeakMap<object, Pending>()
  #server: Server

  /** The store has certificates for a listener. */
  constructor(store: FileCertificateStore) {
    this.#server = this.#createServer(store.listener!)
    // Handshakes that have begun end with the old one.
    store.onLoaded(() => {
      if (store.listener !== undefined) this.#server = this.#createServer(store.listener)
    })
  }

  enter(socket: Socket, onEntered: (entered: Entered) => void): void {
    const key = keyOf(socket)
    const pending: Pending = { onEntered, reason: undefined }
    this.#pending.set(key, pending)
    this.#bySocket.set(socket, pending)
    socket.once('close', () => {
      if (this.#pending.get(key) !== pending) return
      this.#pending.delete(key)
      // Not at once: the TLSSocket on top of it is about to say why.
      setImmediate(() => onEntered({ reason: pending.reason ?? whyClosed(socket) }))
    })
    this.#server.emit('connection', socket)
  }

  #createServer(material: ListenerTls): Server {
    const { defaults, clientCertificates } = material
    const server = createServer({
      ...defaults,
      requestCert: clientCertificates !== 'none',
      // Without one of its own a client that needs a certificate is told so by TLS; with an optional one it's judged below.
      rejectUnauthorized: clientCertificates === 'required',
      SNICallback: (name, callback) => callback(null, material.contextFor(name)),
      // The limit is kept where the connection is.
      handshakeTimeout: 2 ** 31 - 1,
    })
    server.on('secureConnection', (tls) => this.#onSecure(tls, clientCertificates !== 'none'))
    server.on('tlsClientError', (error, tls) => this.#onError(error, tls))
    return server
  }

  #onSecure(tls: TLSSocket, asksForCertificate: boolean): void {
    const key = keyOf(tls)
    const pending = this.#pending.get(key)
    // It's gone, or the system can't tell any more whose it is.
    if (pending === undefined) return void tls.destroy()
    const certificate = asksForCertificate ? tls.getPeerX509Certificate() : undefined
    if (certificate !== undefined && !tls.authorized) {
      pending.reason = wordsForClientCertificate(String(tls.authorizationError), certificate)
      return void tls.destroy()
    }
    this.#pending.delete(key)
    const certificateNames = certificate === undefined ? NO_CERTIFICATE : namesOf(certificate)
    pending.onEntered({ socket: tls, certificateNames: asksForCertificate ? certificateNames : undefined })
  }

  #onError(error: Error, tls: TLSSocket): void {
    const pending = this.#pending.get(keyOf(tls)) ?? this.#bySocket.get(beneath(tls))
    if (pending !== undefined)
      pending.reason ??=
        tls.authorizationError == null
          ? wordsForClientFailure(error)
          : wordsForClientCertificate(String(tls.authorizationError), undefined)
    tls.destroy()
  }
}

/** Node.js doesn't say which connection a TLSSocket was made for; but these are the same for both, and nobody else has them. */
function keyOf({ remoteAddress, remotePort, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localPort}`
}

/** A socket that is closed has no address any more. That Node.js keeps the one beneath isn't promised: without it only the log gets worse. */
function beneath(tls: TLSSocket): object {
  return (tls as { _parent?: object })._parent ?? tls
}

function whyClosed(socket: Socket): string | undefined {
  return socket.bytesRead === 0 ? undefined : 'TLS: the client left in the middle of the handshake'
}

/** Warren's side of the handshake with a broker: Start, Tune, Open. */
import { readClose } from '../../domain/amqp/close-error.js'
import type { Frame } from '../../domain/amqp/frame.js'
import type { FieldTable } from '../../domain/amqp/field-table.js'
import * as id from '../../domain/amqp/method-ids.js'
import { argumentsOf, methodFrame } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import { ACCESS_REFUSED, amqpError } from '../../domain/amqp/reply-codes.js'
import type { Credentials, Mechanism } from '../../domain/credentials.js'
import type { Tuning } from './broker-profile.js'
import { CONNECTION_CLOSE_OK_FRAME } from '../common-frames.js'
import { UpstreamRefused, UpstreamUnreachable } from './upstream-errors.js'

/** What the handshake needs and tells. */
export interface UpstreamHandshakeHost {
  send(bytes: Uint8Array): void
  /** Connection.Start has come. */
  onStart(serverProperties: FieldTable): void
  /** Connection.Tune has come: the broker accepted the credentials. */
  onTuned(offer: Tuning): void
  /** Connection.Open-Ok has come. */
  onOpened(): void
  /** The handshake has failed; the connection is of no use any more. */
  onHandshakeFailed(error: UpstreamRefused | UpstreamUnreachable): void
}

/** What Warren says in Connection.Start-Ok. */
export interface Login {
  readonly credentials: Credentials
  readonly mechanism: Mechanism
  readonly clientProperties: FieldTable
}

/** The handshake of one upstream connection, from Connection.Start to Connection.Open-Ok. */
export class UpstreamHandshake {
  readonly #host: UpstreamHandshakeHost
  readonly #login: Login | undefined
  readonly #isSecure: boolean
  #expects: number = id.CONNECTION_START

  /** Without a `login` the handshake ends after Connection.Start: to see what the broker is. `isSecure`: on a connection with TLS. */
  constructor(host: UpstreamHandshakeHost, login: Login | undefined, isSecure: boolean) {
    this.#host = host
    this.#login = login
    this.#isSecure = isSecure
  }

  /** Whether the handshake goes on after Connection.Start. */
  get hasLogin(): boolean {
    return this.#login !== undefined
  }

  /** A method on channel 0. */
  onMethod(frame: Frame): void {
    const methodId = frame.methodId
    if (methodId === id.CONNECTION_CLOSE) return this.#onClose(frame)
    if (methodId !== this.#expects) {
      const name = method.methodOf(methodId)?.name ?? `method ${methodId}`
      return this.#fail(new UpstreamUnreachable(`the broker sent ${name} during the handshake`))
    }
    switch (methodId) {
      case id.CONNECTION_START:
        return this.#onStart(frame)
      case id.CONNECTION_TUNE:
        this.#expects = 0
        return this.#host.onTuned(argumentsOf(method.ConnectionTune, frame))
      case id.CONNECTION_OPEN_OK:
        this.#expects = 0
        return this.#host.onOpened()
    }
  }

  /** Goes on after {@link UpstreamHandshakeHost.onTuned}. */
  open(tuning: Tuning, virtualHost: string): void {
    this.#expects = id.CONNECTION_OPEN_OK
    this.#host.send(methodFrame(method.ConnectionTuneOk, 0, tuning))
    this.#host.send(methodFrame(method.ConnectionOpen, 0, { virtualHost }))
  }

  /** The stream ended before the handshake did. */
  onStreamClosed(reason: string): void {
    // A broker without authentication_failure_close says no by closing the socket.
    if (this.#expects === id.CONNECTION_TUNE)
      this.#fail(new UpstreamRefused(amqpError(ACCESS_REFUSED, 'Login was refused by the broker')))
    else {
      const hint = this.#isSecure ? '' : ' (is that its TLS port? then amqps://)'
      this.#fail(
        new UpstreamUnreachable(`the broker closed the connection during the handshake${hint}: ${reason}`),
      )
    }
  }

  #onStart(frame: Frame): void {
    this.#host.onStart(argumentsOf(method.ConnectionStart, frame).serverProperties)
    if (this.#login === undefined) return
    const { credentials, mechanism, clientProperties } = this.#login
    this.#expects = id.CONNECTION_TUNE
    this.#host.send(
      methodFrame(method.ConnectionStartOk, 0, {
        clientProperties,
        mechanism,
        response: credentials.response(mechanism),
        locale: 'en_US',
      }),
    )
  }

  #onClose(frame: Frame): void {
    this.#host.send(CONNECTION_CLOSE_OK_FRAME)
    this.#fail(new UpstreamRefused(readClose(frame)))
  }

  #fail(error: UpstreamRefused | UpstreamUnreachable): void {
    this.#expects = 0
    this.#host.onHandshakeFailed(error)
  }
}

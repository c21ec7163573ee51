import { injectable } from 'inversify'
import { connect } from 'node:net'
import type { ByteStream } from '../../application/ports/byte-stream.js'
import type { Dialer, Endpoint } from '../../application/ports/dialer.js'
import { NetByteStream } from './net-byte-stream.js'

/** Opens TCP connections. A host name with several addresses is tried address by address. */
@injectable()
export class NetDialer implements Dialer {
  dial(endpoint: Endpoint, timeoutMs: number): Promise<ByteStream> {
    const { host, port } = endpoint
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port })
      const timer = setTimeout(() => {
        socket.destroy()
        reject(new Error(`connect timeout after ${timeoutMs / 1000} s to ${host}:${port}`))
      }, timeoutMs)
      const fail = (error: Error): void => {
        clearTimeout(timer)
        reject(new Error(describeFailure(error, endpoint), { cause: error }))
      }
      socket.once('error', fail)
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.off('error', fail)
        resolve(new NetByteStream(socket))
      })
    })
  }
}

/** When several addresses were tried, Node's error has no message of its own, but the list of the others. */
function describeFailure(error: Error, { host, port }: Endpoint): string {
  const reasons = error instanceof AggregateError ? error.errors.map(messageOf) : [messageOf(error)]
  const text = [...new Set(reasons)].join(', ')
  return text.includes(host) ? text : `${text} (${host}:${port})`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

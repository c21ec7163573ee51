/** Reaches the broker through an HTTP proxy, by CONNECT. */
import { request } from 'node:http'
import { type ByteStream, type Dialer, type Endpoint, NetByteStream } from 'warren'

export class TunnelDialer implements Dialer {
  readonly #proxy: Endpoint

  constructor(proxy: Endpoint) {
    this.#proxy = proxy
  }

  /** Names are the proxy's business: here they may not mean anything. */
  resolve(endpoint: Endpoint): Promise<readonly Endpoint[]> {
    return Promise.resolve([endpoint])
  }

  dial({ host, port }: Endpoint, timeoutMs: number): Promise<ByteStream> {
    const broker = `${host}:${port}`
    return new Promise((resolve, reject) => {
      const { host: proxyHost, port: proxyPort } = this.#proxy
      const asking = request({ host: proxyHost, port: proxyPort, method: 'CONNECT', path: broker })
      const timer = setTimeout(() => asking.destroy(new Error(`no tunnel to ${broker} in time`)), timeoutMs)
      asking.once('error', (error) => {
        clearTimeout(timer)
        reject(error)
      })
      asking.once('connect', ({ statusCode }, socket, head) => {
        clearTimeout(timer)
        if (statusCode !== 200) {
          socket.destroy()
          reject(new Error(`the proxy answers ${statusCode} for ${broker}`))
          return
        }
        if (head.length > 0) socket.unshift(head)
        resolve(new NetByteStream(socket))
      })
      asking.end()
    })
  }
}

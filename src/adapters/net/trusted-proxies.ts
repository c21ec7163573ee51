/** Whose word counts for where a client is. */
import { BlockList, isIP } from 'node:net'

/** Networks of proxies. */
export class TrustedProxies {
  readonly #networks = new BlockList()

  /** Each as `address/prefix`. */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address, prefix] = network.split('/')
      this.#networks.addSubnet(address, Number(prefix), isIP(address) === 4 ? 'ipv4' : 'ipv6')
    }
  }

  /** Whether `address`, without a port, is in one of them. */
  includes(address: string | undefined): boolean {
    if (address === undefined) return false
    // What the system reports of IPv4 on a socket for both.
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
    const plain = mapped ?? address.replace(/%.*$/, '')
    const family = isIP(plain)
    return family !== 0 && this.#networks.check(plain, family === 4 ? 'ipv4' : 'ipv6')
  }
}

/** Which Warren this is, and where it runs, for everything that says so. */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Product } from './application/product.js'

const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')

/** As in package.json. */
export const { version } = JSON.parse(manifest) as { readonly version: string }

/** As clients, the broker and operators are told. */
export const product: Product = {
  name: 'Warren',
  version,
  platform: `Node.js ${process.version}`,
  host: hostname(),
}

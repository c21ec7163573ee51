/** Secrets that can be found again wherever they went, in whatever form. */
import { randomBytes } from 'node:crypto'

/** What there is to be found of a secret: which, in which form, and where. */
export interface Trace {
  readonly secret: string
  readonly form: string
  readonly around: string
}

const AROUND = 80

/**
 * Secrets by name. Each has a random part of its own, without characters that any encoding would change or split, and around it some that encodings
 * do change.
 */
export class MarkedSecrets {
  readonly #cores = new Map<string, string>()

  /** A secret of printable ASCII without spaces; the same one for the same name. */
  of(name: string): string {
    let core = this.#cores.get(name)
    if (core === undefined) {
      core = `m${randomBytes(10).toString('hex')}k`
      this.#cores.set(name, core)
    }
    return `a+/${core}=?`
  }

  /** Looks from now on for a part of `pem` too, which somebody else has made: the second line of a key. */
  follow(name: string, pem: string): void {
    const [, , line] = pem.trim().split('\n')
    this.#cores.set(name, line.trim().slice(0, 40))
  }

  /** The same, as it has to be written in a URL. */
  inUrl(name: string): string {
    return encodeURIComponent(this.of(name))
  }

  /** Every secret that `text` holds: as it is, or as base64, hexadecimal or decimal bytes. */
  tracesIn(text: string): Trace[] {
    const dense = text.replace(/\s+/g, '')
    return [...this.#cores].flatMap(([secret, core]) =>
      formsOf(core).flatMap(([form, needle]) => {
        const at = dense.toLowerCase().indexOf(needle.toLowerCase())
        // Letters of base64 aren't the same in both cases.
        const found = form === 'base64' ? dense.indexOf(needle) : at
        return found < 0
          ? []
          : [{ secret, form, around: dense.slice(Math.max(0, found - AROUND), found + AROUND) }]
      }),
    )
  }
}

function formsOf(core: string): [form: string, needle: string][] {
  const bytes = Buffer.from(core)
  return [
    ['plain', core],
    // Wherever the bytes begin among those that are encoded together; what neighbours have a part in is cut off.
    ...[0, 1, 2].map((shift): [string, string] => {
      const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64url')
      return ['base64', encoded.slice(Math.ceil((shift * 4) / 3), -3)]
    }),
    ['hexadecimal', bytes.toString('hex')],
    ['decimal', bytes.join(',')],
  ]
}

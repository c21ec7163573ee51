/** Reads PEM from where the configuration says it is: a path, or the value itself, plain or in base64. */
import { X509Certificate, createPrivateKey, type KeyObject } from 'node:crypto'
import { CertificateError } from '../../application/ports/certificate-store.js'
import type { PemSource } from '../../application/settings.js'
import { isPlainPath } from '../config/plain-path.js'
import type { ReadFile } from '../config/read-file.js'
import { fileFailure } from '../node-error.js'

const BEGIN = '-----BEGIN '
const CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g

/** PEM, and where it came from in words that hide what may be a key. */
export interface Pem {
  readonly text: string
  readonly origin: string
}

/** `key` names the setting, for the messages. Throws {@link CertificateError}. */
export function readPem(key: string, source: PemSource, readFile: ReadFile): Pem {
  const value = source.reveal()
  const inline = inlinePem(value)
  if (inline !== undefined) return { text: inline, origin: `${key} (given as PEM)` }
  const isPath = value.length <= 1024 && !/[\n\r\0]/.test(value)
  if (!isPath) throw new CertificateError(`${key}: neither the path of a file nor PEM nor base64 of PEM`)
  let text: string
  try {
    text = readFile(value)
  } catch (error) {
    // A short base64 that went wrong isn't quoted either.
    const shown = isPlainPath(value) ? value : '(not shown)'
    throw new CertificateError(`${key}: can't read file ${shown}: ${fileFailure(error)}`)
  }
  const origin = `${key} (${value})`
  const found = inlinePem(text)
  if (found === undefined) throw new CertificateError(`${origin}: there is no PEM in the file`)
  return { text: found, origin }
}

/** The certificates in a PEM, in its order. Throws {@link CertificateError}. */
export function certificatesIn({ text, origin }: Pem): X509Certificate[] {
  const blocks = text.match(CERTIFICATE) ?? []
  if (blocks.length === 0) throw new CertificateError(`${origin}: there is no certificate in it`)
  return blocks.map((block, at) => {
    try {
      return new X509Certificate(block)
    } catch {
      throw new CertificateError(`${origin}: certificate ${at + 1} can't be parsed`)
    }
  })
}

/** The private key in a PEM. Throws {@link CertificateError}. */
export function privateKeyIn({ text, origin }: Pem): KeyObject {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    throw new CertificateError(`${origin}: there is no private key in it`)
  if (/-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(text))
    throw new CertificateError(`${origin}: the private key is encrypted; Warren has no passphrase for it`)
  try {
    return createPrivateKey(text)
  } catch {
    throw new CertificateError(`${origin}: the private key can't be parsed`)
  }
}

function inlinePem(text: string): string | undefined {
  if (text.includes(BEGIN)) return text
  if (!/^[A-Za-z\d+/\s]+=*\s*$/.test(text)) return undefined
  const decoded = Buffer.from(text, 'base64').toString('latin1')
  return decoded.includes(BEGIN) ? decoded : undefined
}

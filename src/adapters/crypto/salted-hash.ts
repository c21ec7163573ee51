/** Secrets that are only to be recognised are kept as a salted hash. */
import { createHmac, randomBytes } from 'node:crypto'
import type { SecretHash } from '../../application/ports/secret-hash.js'

const SALT_BYTES = 32

/** A SecretHash with a salt of its own: HMAC-SHA-256. */
export function createSaltedHash(): SecretHash {
  const salt = randomBytes(SALT_BYTES)
  return (secret) => createHmac('sha256', salt).update(secret).digest('base64')
}

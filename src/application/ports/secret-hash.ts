/** A hash that can't be turned back or compared with those of another process: it's salted anew in each. */
export type SecretHash = (secret: Uint8Array) => string

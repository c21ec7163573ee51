import type { CredentialSource } from '../../src/application/ports/credential-source.js'
import { Credentials } from '../../src/domain/credentials.js'

/** Knows the passwords that it's told. */
export class FakeCredentialSource implements CredentialSource {
  /** By user; in every virtual host. */
  readonly passwords = new Map<string, string>()
  /** Fails with this. */
  failure: Error | undefined
  /** Never answers. */
  isSilent = false
  /** Whoever it was asked for, as `user in vhost`. */
  readonly asked: string[] = []

  constructor(passwords: Readonly<Record<string, string>> = {}) {
    for (const [user, password] of Object.entries(passwords)) this.passwords.set(user, password)
  }

  credentialsFor(user: string, virtualHost: string): Promise<Credentials | undefined> {
    this.asked.push(`${user} in ${virtualHost}`)
    if (this.isSilent) return new Promise(() => undefined)
    if (this.failure !== undefined) return Promise.reject(this.failure)
    const password = this.passwords.get(user)
    return Promise.resolve(password === undefined ? undefined : new Credentials(user, password))
  }
}

/** Knows passwords from a directory with a file for each user, as Kubernetes mounts a secret. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Credentials, type CredentialSource } from 'warren'

export class MountedCredentials implements CredentialSource {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  async credentialsFor(user: string): Promise<Credentials | undefined> {
    // The name comes from whoever has published: it mustn't lead elsewhere.
    if (!/^\w[\w.-]*$/.test(user)) return undefined
    try {
      const password = await readFile(join(this.#directory, user), 'utf8')
      return new Credentials(user, password.trimEnd())
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }
}

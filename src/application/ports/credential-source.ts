/** Where logins come from for users who have left messages in the journal. */
import type { Credentials } from '../../domain/credentials.js'

/**
 * Knows how to log in at the broker for users who aren't there: messages of theirs that an earlier run has left in the journal are published
 * without waiting for them.
 */
export interface CredentialSource {
  /**
   * The credentials with which to publish messages of `user` in `virtualHost`; undefined when they aren't known. Their user must be `user`, as it's that
   * user's messages. Rejects when it can't be found out now: it's asked again after a while. Asked before each login, so that what it gives may be short-lived.
   */
  credentialsFor(user: string, virtualHost: string): Promise<Credentials | undefined>
}

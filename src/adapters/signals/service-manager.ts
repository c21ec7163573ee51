/** Tells the service manager that Warren is up: what systemd calls Type=notify. */
import { execFile } from 'node:child_process'

/** For the manager to take note; it answers at once or not at all. */
const TIMEOUT_MS = 5000

/**
 * Sends READY=1 where the environment says that a manager waits for it (`NOTIFY_SOCKET`), and does nothing elsewhere. Node.js has no datagram
 * sockets of the Unix kind, so systemd's own `systemd-notify` speaks for Warren (the unit needs NotifyAccess=all). Rejects when that can't be run.
 */
export function announceReady(env: NodeJS.ProcessEnv): Promise<void> {
  if (!env['NOTIFY_SOCKET']) return Promise.resolve()
  return new Promise((resolve, reject) => {
    execFile('systemd-notify', ['--ready'], { env, timeout: TIMEOUT_MS }, (error) => {
      if (error === null) resolve()
      else reject(new Error(`systemd-notify: ${error.message.trim()}`, { cause: error }))
    })
  })
}

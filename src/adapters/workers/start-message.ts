/** How a worker is told who it is. */
import type { Environment } from '../config/environment.js'
import type { FileSnapshot } from '../config/file-snapshot.js'

/** The first that a worker hears: who it is, and the configuration of all. It holds secrets, and goes by the pipe between the two processes alone. */
export interface StartMessage {
  readonly kind: 'start'
  readonly number: number
  readonly count: number
  readonly argv: readonly string[]
  readonly env: Environment
  readonly cwd: string
  /** What the configuration's files held when Warren was started. */
  readonly files: FileSnapshot
  /** The same at the last reload, if there was one since. */
  readonly reloaded: FileSnapshot | undefined
}

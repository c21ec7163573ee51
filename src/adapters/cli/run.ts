/** Runs warrenctl: one command, and the exit code that it ends with. */
import { CommanderError } from 'commander'
import { createCommands } from './commands.js'
import { EXIT_OK, EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_USAGE } from './exit-codes.js'
import { Misuse, Refusal, Unreachable } from './management-client.js'
import { withoutManager } from './server-choice.js'
import type { Terminal } from './terminal.js'

/** Runs one command; resolves with the exit code. */
export async function run(terminal: Terminal): Promise<number> {
  let code = EXIT_OK
  const program = createCommands(terminal, (chosen) => (code = chosen))
  try {
    await program.parseAsync(withoutManager(terminal.argv), { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE
    const failure = exitCodeOf(error)
    if (failure === undefined) throw error
    terminal.complain(`Error: ${(error as Error).message}\n`)
    return failure
  }
}

/** Undefined for what is a bug. */
function exitCodeOf(error: unknown): number | undefined {
  if (error instanceof Misuse) return EXIT_USAGE
  if (error instanceof Refusal) return EXIT_REFUSED
  return error instanceof Unreachable ? EXIT_UNREACHABLE : undefined
}

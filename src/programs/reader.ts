/** What a command does whose output nobody reads any more. */

/** Ends the process when whoever reads `output` has seen enough: `warren --help | head` is no error. */
export function endWithReader(output: NodeJS.WriteStream): void {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit()
  })
}

/** Lets the writes that streams make in one turn of the event loop leave together, one system call for each stream. */

/** A stream that holds writes back until the turn ends. */
export interface Flushable {
  flush(): void
}

let due: Flushable[] = []
let spare: Flushable[] = []

/** Calls `stream.flush()` once, after the callbacks of this turn. */
export function flushAfterTurn(stream: Flushable): void {
  if (due.push(stream) === 1) setImmediate(flushAll)
}

function flushAll(): void {
  const streams = due
  due = spare
  for (const stream of streams) stream.flush()
  streams.length = 0
  spare = streams
}

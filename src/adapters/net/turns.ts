/** The end of a turn of the event loop: what streams write in one turn leaves together, and who took too long reads on in the next. */

/** A stream that has something to do when the turn ends. */
export interface TurnTaker {
  endTurn(): void
}

let due: TurnTaker[] = []
let spare: TurnTaker[] = []

/** Calls `stream.endTurn()` once, after the callbacks of this turn. */
export function callAfterTurn(stream: TurnTaker): void {
  if (due.push(stream) === 1) setImmediate(endAll)
}

function endAll(): void {
  const streams = due
  due = spare
  for (const stream of streams) stream.endTurn()
  streams.length = 0
  spare = streams
}

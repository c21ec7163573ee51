/** What the quickstart has started and therefore has to end, the last first. */

interface Started {
  /** Ends it in good order. */
  stop(): Promise<void>
  /** Ends it at once, when there is no time left. */
  kill(): void
}

const started: Started[] = []
let isEnding = false

/** To be awaited before something is started: once the end has begun, nothing is. */
export async function mayStart(): Promise<void> {
  if (isEnding) await new Promise(() => undefined)
}

/** Remembers something that has just been started, or is just about to be. */
export function remember(one: Started): void {
  started.push(one)
}

export async function stopEverything(): Promise<void> {
  isEnding = true
  for (let one = started.at(-1); one; one = started.at(-1)) {
    try {
      await one.stop()
    } catch {
      one.kill()
    }
    started.splice(started.indexOf(one), 1)
  }
}

process.once('exit', () => {
  for (const one of started.reverse()) one.kill()
})

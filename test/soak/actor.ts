/** Clients that repeat what they do until they're told to stop. */

/** Where they connect, and what they have in common. */
export interface Soak {
  /** Warren's port. */
  readonly port: number
  /** Warren's URL for the user of the well-behaved. */
  readonly url: string
  isOver(): boolean
  /** Whether all but those who stay to the end have gone. */
  isEmpty(): boolean
  /** Counts something that was done. */
  count(what: string): void
  /** Something went wrong that mustn't. */
  complain(text: string): void
}

/** Does a turn after the other until the soak is over. */
export interface Actor {
  readonly name: string
  /** How many of the kind there are at the same time. */
  readonly copies: number
  /** Serves others, and so goes last. */
  readonly isLast?: boolean
  run(soak: Soak): Promise<void>
}

/** An actor that does `turn` again and again, with a rest in between; what goes wrong in a turn counts if `isRude` doesn't excuse it. */
export function repeating(
  name: string,
  copies: number,
  restMs: number,
  turn: (soak: Soak) => Promise<void>,
  isRude = false,
): Actor {
  const run = async (soak: Soak): Promise<void> => {
    while (!soak.isOver()) {
      try {
        await turn(soak)
        soak.count(name)
      } catch (error) {
        if (isRude) soak.count(name)
        else soak.complain(`${name}: ${(error as Error).message}`)
      }
      await new Promise((resolve) => setTimeout(resolve, restMs))
    }
  }
  return { name, copies, run }
}

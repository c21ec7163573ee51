/** The known name that is most like a mistyped one, if any is near enough to be worth suggesting. */
export function nearestName(typed: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined
  // Past three edits, or a third of the name, a suggestion is more puzzling than none.
  let limit = Math.min(3, Math.floor(typed.length / 3))
  for (const name of known) {
    const distance = editDistance(typed.toLowerCase(), name.toLowerCase())
    if (distance <= limit) {
      nearest = name
      limit = distance - 1
    }
  }
  return nearest
}

/** Fewest letters to insert, delete, replace, or swap with their neighbour. */
function editDistance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)]
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const replaced = rows[row - 1][column - 1] + (from[row - 1] === to[column - 1] ? 0 : 1)
      const swapped =
        from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
          ? rows[row - 2][column - 2] + 1
          : Infinity
      current.push(Math.min(rows[row - 1][column] + 1, current[column - 1] + 1, replaced, swapped))
    }
    rows.push(current)
  }
  return rows[from.length][to.length]
}

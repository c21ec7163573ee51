/** A word that no log, error or inspection can give away. */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The word itself, for the one who compares it. */
  reveal(): string {
    return this.#text
  }
}

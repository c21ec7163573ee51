/**
 * Characters of others' texts that mustn't reach a log or a terminal: they begin a line, steer the terminal,
 * or turn what is read around.
 */

/** Runs of them: C0, C1, the separators of lines and paragraphs, and what sets the direction of text (Unicode, UAX 9). For `replace`. */
export const CONTROL_CHARACTERS = /[\p{Cc}\u2028-\u202e\u2066-\u2069]+/gu

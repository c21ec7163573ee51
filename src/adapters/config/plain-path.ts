/** What can only be the path of a file, where a secret may stand in its place. */

/** A file's name has an extension, and base64 has no dot. */
const named = /^[\w./~ -]{1,255}\.[a-z\d]{1,10}$/i
/** From a known place on, in short steps: `/run/secrets/tls-key`. */
const placed = /^(?:~|\.{0,2})(?:\/[\w.-]{1,32}){1,8}$/
const MOST_UNNAMED = 100

/** Whether `text` is plainly the path of a file, and can't be a key or a piece of one that was put in its place. */
export function isPlainPath(text: string): boolean {
  return named.test(text) || (text.length <= MOST_UNNAMED && placed.test(text))
}

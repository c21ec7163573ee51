/** UTF-8 well-formedness (Unicode 15, table 3-7), without building a string. */

/** Whether `bytes[at, end)` is well-formed UTF-8. */
export function isUtf8(bytes: Uint8Array, at: number, end: number): boolean {
  while (at < end) {
    const lead = bytes[at++]
    if (lead < 0x80) continue
    const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : 0
    if (length === 0 || at + length > end) return false
    const second = bytes[at]
    // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second octet.
    if (second < (lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80)) return false
    if (second > (lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf)) return false
    for (let n = 1; n < length; n++) if ((bytes[at + n] & 0xc0) !== 0x80) return false
    at += length
  }
  return true
}

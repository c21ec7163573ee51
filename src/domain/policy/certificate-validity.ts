/** When operators are to hear of the dates in a certificate. */
import { readableTime } from '../calendar.js'

const DAY_MS = 24 * 60 * 60 * 1000
/** Those who renew by hand need some days; those who let it be done notice that it wasn't. */
const WARN_DAYS = 14

/** What a certificate's dates, in milliseconds since 1970, mean at `now`; in words, undefined when all is well. */
export function judgeValidity(
  { notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number },
  now: number,
): string | undefined {
  if (now >= notAfter) return `expired on ${readableTime(notAfter)}`
  if (now < notBefore) return `is not valid before ${readableTime(notBefore)}`
  const days = Math.floor((notAfter - now) / DAY_MS)
  if (days >= WARN_DAYS) return undefined
  return `expires in ${days === 1 ? '1 day' : `${days} days`}, on ${readableTime(notAfter)}`
}

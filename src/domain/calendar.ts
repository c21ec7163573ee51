/** Times for people, without a clock. */

const DAY_SECONDS = 86_400

/** Milliseconds since 1970 as ISO 8601 has them, in UTC and to the second: `2026-03-01T12:00:00Z`. */
export function isoTime(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  const days = Math.floor(seconds / DAY_SECONDS)
  const rest = seconds - days * DAY_SECONDS
  const clock = [rest / 3600, (rest / 60) % 60, rest % 60].map((part) => pad(Math.floor(part), 2)).join(':')
  return `${isoDate(days)}T${clock}Z`
}

/** The same as people read it: `2026-03-01 12:00:00 UTC`. */
export function readableTime(milliseconds: number): string {
  return isoTime(milliseconds).replace('T', ' ').replace('Z', ' UTC')
}

/** Days since 1970 in the Gregorian calendar, counted in years that begin on the first of March and eras of 400 of them. */
function isoDate(days: number): string {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0')
}

/** How a limit for all is divided: the part of the worker with this number (from 1). The first ones have the remainder; 0 is no limit for anybody. */
export function shareOf(limit: number, number: number, count: number): number {
  return Math.floor(limit / count) + (number <= limit % count ? 1 : 0)
}

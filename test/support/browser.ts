/** A browser for tests: Debian's Chromium, without a window. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, type BrowserContextOptions, type Page, chromium } from 'playwright-core'
import { systemCommand } from '../../scripts/client-packages.mjs'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** What an element that isn't there yet may take, on a busy machine too. */
const PATIENCE_MS = 30_000

/** A page that a test looks at. */
export interface Visit {
  readonly page: Page
  /** What the browser complained of: errors of scripts, and what the page may not load. Answers with an error status aren't meant. */
  readonly complaints: string[]
  /** Everything that was asked for. */
  readonly requests: string[]
}

/** Starts a browser; the test closes it. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: systemCommand('chromium'),
    // Its sandbox can't be had by root, and containers are small in /dev/shm.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  })
}

/** Opens a page with nothing remembered from before; one in a hurry looks more often than every two seconds, so that nobody waits. */
export async function visit(
  browser: Browser,
  url: string,
  { isHurried = false, ...options }: BrowserContextOptions & { isHurried?: boolean } = {},
): Promise<Visit> {
  const context = await browser.newContext({ locale: 'en-GB', ...options })
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await context.newPage()
  if (isHurried)
    await page.addInitScript("setInterval(() => document.dispatchEvent(new Event('visibilitychange')), 400)")
  const complaints: string[] = []
  const requests: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    const isAnswer = message.text().startsWith('Failed to load resource: the server responded')
    if (message.type() === 'error' && !isAnswer) complaints.push(message.text())
  })
  page.on('request', (request) => requests.push(request.url()))
  await page.goto(url)
  return { page, complaints, requests }
}

/** What keeps people from using the page, by the rules of WCAG 2.2 AA as far as a program can judge: one line each. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  // A string, as the compiler knows nothing of what exists in the page.
  return page.evaluate<string[]>(
    `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then(({ violations }) =>
      violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => id + ' ' + target + ': ' + failureSummary)))`,
  )
}

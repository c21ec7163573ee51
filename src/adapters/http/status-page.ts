/** The status page as it's sent: one file, nothing from elsewhere. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** The page and what browsers are told of it. */
export interface StatusPage {
  readonly html: string
  readonly headers: Readonly<Record<string, string>>
}

/** Reads the page; only the script and the style in it may run, and only this server may be asked. */
export function statusPage(): StatusPage {
  const html = readFileSync(new URL('status-page.html', import.meta.url), 'utf8')
  const script = hashOf(html, 'script')
  const style = hashOf(html, 'style')
  return {
    html,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': [
        "default-src 'none'",
        `script-src ${script}`,
        `style-src ${style}`,
        "connect-src 'self'",
        'img-src data:',
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ].join('; '),
    },
  }
}

function hashOf(html: string, tag: 'script' | 'style'): string {
  const content = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(html)?.[1] ?? ''
  return `'sha256-${createHash('sha256').update(content).digest('base64')}'`
}

/** The status page as it's sent: a few small files, nothing from elsewhere. */
import { readFileSync, readdirSync } from 'node:fs'
import { extname } from 'node:path'

/** One file of the page. */
export interface PageFile {
  readonly content: string
  readonly type: string
}

/** The page and what browsers are told of it. */
export interface StatusPage {
  readonly html: PageFile
  /** What it's made of, by name. */
  readonly files: ReadonlyMap<string, PageFile>
  readonly headers: Readonly<Record<string, string>>
}

const FOLDER = new URL('status-page/', import.meta.url)
const INDEX = 'index.html'
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
}
/** Only what comes from this server may run, and only this server may be asked. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Reads the page, once: it doesn't change while Warren runs. */
export function statusPage(): StatusPage {
  const files = new Map<string, PageFile>()
  for (const name of readdirSync(FOLDER)) {
    const type = TYPES[extname(name)]
    if (type !== undefined) files.set(name, { type, content: readFileSync(new URL(name, FOLDER), 'utf8') })
  }
  const html = files.get(INDEX)
  if (html === undefined) throw new Error(`${FOLDER.pathname} has no ${INDEX}`)
  files.delete(INDEX)
  return { html, files, headers: { 'content-security-policy': CONTENT_SECURITY_POLICY } }
}

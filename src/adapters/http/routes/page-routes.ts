/** The status page, and the files that it's made of. */
import { HttpError } from '../http-error.js'
import { byFile } from '../schemas.js'
import { statusPage } from '../status-page.js'
import type { Route } from './route.js'

export function pageRoutes(): Route[] {
  const page = statusPage()
  return [
    {
      method: 'GET',
      url: '/',
      role: 'public',
      summary: 'The status page, for people.',
      handle: (_, reply) => {
        void reply.headers(page.headers).type(page.html.type)
        return page.html.content
      },
    },
    {
      method: 'GET',
      url: '/page/:file',
      role: 'public',
      summary: 'What the status page is made of.',
      params: byFile,
      handle: ({ params }, reply) => {
        const file = page.files.get((params as { file: string }).file)
        if (file === undefined) throw new HttpError(404, 'the page has no such file')
        void reply.type(file.type)
        return file.content
      },
    },
  ]
}

/** How requests are answered that fail: always in the same form, whatever it is that went wrong. */
import type { FastifyError, FastifyInstance } from 'fastify'
import type { Socket } from 'node:net'
import { HttpError } from './http-error.js'

/** The body of such an answer. */
export function failed(error: string): { readonly error: string; readonly status: 'failed' } {
  return { error, status: 'failed' }
}

/** Answers what there is no route for, and what a route, or the check of its input, has thrown. */
export function answerErrors(app: FastifyInstance): void {
  app.setNotFoundHandler(async (request, reply) => {
    // Without the query: some put their token there, and answers are logged by whoever stands between.
    const [path] = request.url.split('?', 1)
    await reply.code(404).send(failed(`there is no ${request.method} ${path}`))
  })
  app.setErrorHandler(async (error: FastifyError | HttpError, request, reply) => {
    const status = error.statusCode ?? 500
    const { invalidBody } = request.routeOptions.config
    const isBody =
      'validation' in error ? error.validationContext === 'body' : 'code' in error && isBadJson(error.code)
    const said = status === 415 ? 'a body must be JSON, with Content-Type: application/json' : error.message
    const text = isBody && invalidBody !== undefined ? invalidBody : said
    const isBug = status >= 500 && !(error instanceof HttpError)
    await reply.code(status).send(failed(isBug ? 'internal error' : text))
  })
}

function isBadJson(code: string): boolean {
  return code === 'FST_ERR_CTP_EMPTY_JSON_BODY' || code === 'FST_ERR_CTP_INVALID_JSON_BODY'
}

/** Answers HTTP that Node can't make sense of, or that took longer than `timeoutMs` to arrive: it never gets as far as a route. */
export function badRequestAnswer(timeoutMs: number): (error: NodeJS.ErrnoException, socket: Socket) => void {
  const answers: Readonly<Record<string, readonly [status: string, text: string]>> = {
    ERR_HTTP_REQUEST_TIMEOUT: [
      '408 Request Timeout',
      `the request did not arrive within ${timeoutMs / 1000} s`,
    ],
    HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers are too large'],
  }
  return (error, socket) => {
    // The other side is gone.
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const [status, text] = answers[error.code ?? ''] ?? ['400 Bad Request', 'this is no HTTP request']
    const body = JSON.stringify(failed(text))
    socket.end(
      `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      () => socket.destroy(),
    )
  }
}

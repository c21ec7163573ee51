/** The management server: HTTP in front of the use cases. */
import swagger from '@fastify/swagger'
import { type FastifyError, type FastifyInstance, type FastifyReply, fastify } from 'fastify'
import type { AddressInfo, Socket } from 'node:net'
import type { Product } from '../../application/product.js'
import { Access, type AccessSettings, type Role } from './access.js'
import { HttpError } from './http-error.js'
import { type UseCases, routesOf } from './routes.js'
import type { Route } from './routes/route.js'
import { byFile, failure } from './schemas.js'
import { statusPage } from './status-page.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    role?: Role
    invalidBody?: string | undefined
  }
}

/** Requests are words, no documents. */
const BODY_LIMIT = 16 * 1024
/** For a request to arrive, and how often that's looked at: Node's own half minute is long when connections are few. */
const REQUEST_TIMEOUT_MS = 10_000
const TIMEOUT_CHECK_MS = 1000
const KEEP_ALIVE_MS = 30_000
/** Callers at the same time; operators are few. */
const MOST_CONNECTIONS = 256

/** Serves the management routes, the OpenAPI document and the status page. */
export class ManagementServer {
  readonly #app: FastifyInstance
  readonly routes: readonly Route[]

  private constructor(app: FastifyInstance, routes: readonly Route[]) {
    this.#app = app
    this.routes = routes
  }

  /** A server that doesn't listen yet. */
  static async create(
    useCases: UseCases,
    access: AccessSettings,
    product: Product,
  ): Promise<ManagementServer> {
    const app = fastify({
      bodyLimit: BODY_LIMIT,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionTimeout: REQUEST_TIMEOUT_MS * 2,
      keepAliveTimeout: KEEP_ALIVE_MS,
      forceCloseConnections: true,
      // The shorter of the two times is Node's for the headers, whatever they are called: with its own minute the body would have that.
      http: { connectionsCheckingInterval: TIMEOUT_CHECK_MS, headersTimeout: REQUEST_TIMEOUT_MS },
      // What never gets as far as a route is answered in the same form.
      clientErrorHandler: answerBadRequest,
      frameworkErrors: (error, _, reply: FastifyReply) => {
        void reply.code(error.statusCode ?? 400).send({ error: error.message, status: 'failed' })
      },
      // A number is no text, and a text no number.
      ajv: { customOptions: { coerceTypes: false, removeAdditional: false, strict: false } },
    })
    app.server.maxConnections = MOST_CONNECTIONS
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: { title: 'Warren management', version: product.version },
        components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      },
    })
    takeJsonOnly(app)
    guard(app, new Access(access))
    answerErrors(app)
    const page = statusPage()
    const routes: Route[] = [
      ...routesOf(useCases),
      {
        method: 'GET',
        url: '/openapi.json',
        role: 'read',
        summary: 'This document.',
        handle: () => app.swagger(),
      },
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
    for (const route of routes) register(app, route)
    await app.ready()
    return new ManagementServer(app, routes)
  }

  /** Listens; resolves with the address in use. Rejects when it can't be had. */
  async listen(address: string, port: number): Promise<{ address: string; port: number }> {
    await this.#app.listen({ host: address, port })
    const bound = this.#app.server.address() as AddressInfo
    return { address: bound.address, port: bound.port }
  }

  /** Answers a request without a socket: for tests. */
  get inject(): FastifyInstance['inject'] {
    return this.#app.inject.bind(this.#app)
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.#app.close()
  }
}

/**
 * Browsers send text and forms across sites without asking first. An empty body is none, whatever its type: many tools name one for
 * every request.
 */
function takeJsonOnly(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else void parse(request, body as string, done)
  })
}

/** HTTP that Node can't make sense of, or that took too long. */
function answerBadRequest(this: unknown, error: NodeJS.ErrnoException, socket: Socket): void {
  // The other side is gone.
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, text] = BAD_REQUESTS[error.code ?? ''] ?? ['400 Bad Request', 'this is no HTTP request']
  const body = JSON.stringify({ error: text, status: 'failed' })
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}

const BAD_REQUESTS: Readonly<Record<string, readonly [status: string, text: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [
    '408 Request Timeout',
    `the request did not arrive within ${REQUEST_TIMEOUT_MS / 1000} s`,
  ],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers are too large'],
}

function register(
  app: FastifyInstance,
  { role, summary, body, query, params, answer, ...route }: Route,
): void {
  const failures = { '4xx': failure, ...(route.url === '/readyz' ? {} : { '5xx': failure }) }
  app.route({
    method: route.method,
    url: route.url,
    config: { role, invalidBody: route.invalidBody },
    schema: {
      summary,
      ...(body === undefined ? {} : { body }),
      ...(query === undefined ? {} : { querystring: query }),
      ...(params === undefined ? {} : { params }),
      ...(answer === undefined ? {} : { response: { 200: answer, ...failures } }),
      ...(role === 'public' ? {} : { security: [{ token: [] }] }),
    },
    handler: route.handle,
  })
}

/** Before anything else of a request is looked at. What there is no route for needs the right to look. */
function guard(app: FastifyInstance, access: Access): void {
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
    const { headers, routeOptions } = request
    const role = (routeOptions.config as { role?: Role }).role ?? 'read'
    const denial = access.judge(role, {
      authorization: headers.authorization,
      host: headers.host,
      origin: headers.origin,
      fetchSite: headers['sec-fetch-site'],
    })
    if (denial === undefined) return
    if (denial.status === 401) void reply.header('www-authenticate', 'Bearer realm="warren"')
    await reply.code(denial.status).send({ error: denial.error, status: 'failed' })
  })
}

function answerErrors(app: FastifyInstance): void {
  app.setNotFoundHandler(async (request, reply) => {
    // Without the query: some put their token there, and answers are logged by whoever stands between.
    const [path] = request.url.split('?', 1)
    await reply.code(404).send({ error: `there is no ${request.method} ${path}`, status: 'failed' })
  })
  app.setErrorHandler(async (error: FastifyError | HttpError, request, reply) => {
    const status = error.statusCode ?? 500
    const { invalidBody } = request.routeOptions.config
    const isBody =
      'validation' in error ? error.validationContext === 'body' : 'code' in error && isBadJson(error.code)
    const said = status === 415 ? 'a body must be JSON, with Content-Type: application/json' : error.message
    const text = isBody && invalidBody !== undefined ? invalidBody : said
    const isBug = status >= 500 && !(error instanceof HttpError)
    await reply.code(status).send({ error: isBug ? 'internal error' : text, status: 'failed' })
  })
}

function isBadJson(code: string): boolean {
  return code === 'FST_ERR_CTP_EMPTY_JSON_BODY' || code === 'FST_ERR_CTP_INVALID_JSON_BODY'
}

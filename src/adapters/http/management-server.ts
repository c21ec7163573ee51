/** The management server: HTTP in front of the use cases. */
import swagger from '@fastify/swagger'
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify'
import type { AddressInfo } from 'node:net'
import type { BoundAddress } from '../../application/ports/listener.js'
import type { Product } from '../../application/product.js'
import { Access, type AccessSettings, type Role } from './access.js'
import { answerErrors, badRequestAnswer, failed } from './failures.js'
import { type UseCases, routesOf } from './routes.js'
import type { Route } from './routes/route.js'
import { pageRoutes } from './routes/page-routes.js'
import { failure } from './schemas.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    role?: Role
    /** What is said of a body that isn't as it has to be. */
    invalidBody?: string | undefined
  }
}

/** In bytes: requests are words, no documents. */
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
    const app = withBounds()
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
    const routes: Route[] = [
      ...routesOf(useCases),
      ...pageRoutes(),
      {
        method: 'GET',
        url: '/openapi.json',
        role: 'read',
        summary: 'This document.',
        handle: () => app.swagger(),
      },
    ]
    for (const route of routes) register(app, route)
    await app.ready()
    return new ManagementServer(app, routes)
  }

  /** Listens; resolves with the address in use. Rejects when it can't be had. */
  async listen(address: string, port: number): Promise<BoundAddress> {
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

/** A server that nobody can keep busy with requests that are long, slow or many. */
function withBounds(): FastifyInstance {
  const app = fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: REQUEST_TIMEOUT_MS * 2,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
    // Node gives the headers the shorter of the two times and the whole request the longer, whatever they are called: its default for the headers is a minute.
    http: { connectionsCheckingInterval: TIMEOUT_CHECK_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    clientErrorHandler: badRequestAnswer(REQUEST_TIMEOUT_MS),
    frameworkErrors: (error, _, reply: FastifyReply) => {
      void reply.code(error.statusCode ?? 400).send(failed(error.message))
    },
    // A number is no text, and a text no number.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, strict: false } },
  })
  app.server.maxConnections = MOST_CONNECTIONS
  return app
}

/**
 * Takes JSON bodies alone: browsers send text and forms to other sites without asking these first. An empty body is none, whatever its type: many
 * tools name one for every request.
 */
function takeJsonOnly(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else void parse(request, body as string, done)
  })
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

/** Judges the caller before anything else of a request is looked at. Where there is no route, nobody is told so who may not look. */
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
    await reply.code(denial.status).send(failed(denial.error))
  })
}

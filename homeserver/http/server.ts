import { fastify } from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { MatrixError } from '../errors.ts';
import type { App } from './app.ts';
import { answerError } from './answer-error.ts';
import type { Authenticator } from './authenticate.ts';
import { ADMIN_ROUTES } from './admin/routes.ts';
import { CLIENT_SERVER_ROUTES } from './client-server/routes.ts';
import { CORS_HEADERS } from './cors.ts';
import { serveHealth } from './health.ts';
import type { Readiness } from './health.ts';
import { KnownPaths } from './known-paths.ts';
import { answerBrokenRequest, createNodeServer } from './node-server.ts';
import type { TlsIdentity } from './node-server.ts';
import { OpenRequests } from './open-requests.ts';
import { measureRequest } from './request-metrics.ts';
import { serveEndpoint } from './serve-endpoint.ts';
import { SERVER_SERVER_ROUTES } from './server-server/routes.ts';

/** A parameter of 255 bytes, each percent-encoded, and room to say that it is too long. */
const MAX_PARAM_LENGTH = 4096;
/** How often connections are closed that came while the server closed, ms; a request among them has so long to be answered. */
const SWEEP_MS = 250;

export interface ServerOptions {
  app: App;
  authenticator: Authenticator;
  readiness: Readiness;
  /** The same over TLS, as other servers expect it. */
  tls?: TlsIdentity;
}

export interface ListenAddress {
  host: string;
  /** 0: any free port. */
  port: number;
}

/** The Matrix API over HTTP. */
export interface HttpServer {
  /** Resolves with the port. */
  listen(address: ListenAddress): Promise<number>;
  /** Takes no more connections, ends long polls, waits for requests under way at most `timeoutMs`, then closes what is left. */
  close(timeoutMs: number): Promise<void>;
}

/** Makes the server; nothing listens yet. */
export function createHttpServer(options: ServerOptions): HttpServer {
  const open = new OpenRequests(options.app.metrics);
  const server = createFastify(options);
  addHooks(server, options, open);
  serveHealth(server, options.readiness);
  serveRoutes(server, options, open);
  return {
    listen: async ({ host, port }) => {
      await server.listen({ host, port });
      const address = server.server.address();
      return typeof address === 'object' && address !== null ? address.port : port;
    },
    close: async (timeoutMs) => {
      open.stopWaiting();
      const closed = server.close();
      await open.idle(timeoutMs);
      // Again and again: what connects before the listener has closed may say nothing, and Node looks at it no more.
      const sweep = setInterval(() => server.server.closeAllConnections(), SWEEP_MS);
      server.server.closeAllConnections();
      await closed.finally(() => clearInterval(sweep));
    },
  };
}

function createFastify({ app, tls }: ServerOptions): FastifyInstance {
  const start = Date.now().toString(36);
  let count = 0;
  return fastify({
    logger: false,
    serverFactory: (listener) => createNodeServer(listener, tls),
    bodyLimit: app.config.maxRequestBytes,
    // A load balancer may still send requests while the last connections end: they are answered, not refused.
    return503OnClosing: false,
    trustProxy: app.config.trustedProxies.length > 0 ? [...app.config.trustedProxies] : false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    genReqId: () => `${start}-${((count += 1)).toString(36)}`,
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      answerError(error, request, reply.headers(CORS_HEADERS), app.log);
    },
  });
}

function addHooks(server: FastifyInstance, { app, readiness }: ServerOptions, open: OpenRequests): void {
  server.decorateRequest('requester', undefined);
  server.removeAllContentTypeParsers();
  // Bodies are JSON whatever their content type says; they are parsed when the endpoint is known to want one.
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });
  server.addHook('onRequest', (request, reply, done) => {
    reply.headers(CORS_HEADERS);
    measureRequest(app, request, reply.raw);
    if (readiness.draining) reply.header('connection', 'close');
    open.begin(reply.raw);
    if (request.method === 'OPTIONS') reply.code(204).send();
    else done();
  });
  server.setErrorHandler((error, request, reply) => answerError(error, request, reply, app.log));
}

function serveRoutes(server: FastifyInstance, options: ServerOptions, open: OpenRequests): void {
  const paths = new KnownPaths();
  const context = { app: options.app, authenticator: options.authenticator, open };
  const isFederated = options.app.config.federation.mode === 'Enabled';
  for (const endpoint of [...CLIENT_SERVER_ROUTES, ...ADMIN_ROUTES, ...(isFederated ? SERVER_SERVER_ROUTES : [])]) {
    serveEndpoint(server, endpoint, context);
    for (const path of [endpoint.path, ...(endpoint.aliases ?? [])]) paths.add(path);
  }
  server.setNotFoundHandler((request) => {
    const known = paths.has(request.url);
    const detail = known ? 'This path has no such method.' : undefined;
    throw new MatrixError('M_UNRECOGNIZED', detail, { status: known ? 405 : 404 });
  });
}

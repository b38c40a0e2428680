import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { EndSignal } from '../end-signal.ts';
import { MatrixError } from '../errors.ts';
import { LargeRead } from '../sync/large-reads.ts';
import { sendJson } from './answer-error.ts';
import type { AnyEndpoint, App } from './app.ts';
import type { Authenticator } from './authenticate.ts';
import { RawJson, StatusAnswer } from './endpoint.ts';
import type { Requester } from './endpoint.ts';
import { parseJsonBody } from './json-body.ts';
import { networkOf } from './network-of.ts';
import type { OpenRequests } from './open-requests.ts';
import { parseInput } from './parse-input.ts';
import { sendText } from './send-answer.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the endpoint's own onRequest hook, before the body is read. */
    requester: Requester | undefined;
  }
  interface FastifyContextConfig {
    operationId?: string;
  }
}

/** What serving an endpoint takes besides the endpoint. */
export interface ServingContext {
  readonly app: App;
  readonly authenticator: Authenticator;
  readonly open: OpenRequests;
}

type AnyRequest = Parameters<AnyEndpoint['handle']>[1];

/** The parsed request. `signal` and `large` are made when a handler asks for them: only long polls do, and what may be large. */
class ParsedRequest implements AnyRequest {
  readonly requester: Requester | undefined;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly address: string;
  readonly #reply: FastifyReply;
  readonly #context: ServingContext;
  #signal: EndSignal | undefined;
  #large: LargeRead | undefined;

  constructor(endpoint: AnyEndpoint, request: FastifyRequest, reply: FastifyReply, context: ServingContext) {
    this.requester = request.requester;
    this.params = parseInput(endpoint.params, request.params, 'path');
    this.query = parseInput(endpoint.query, request.query, 'query');
    this.body = endpoint.body === undefined ? undefined : parseInput(endpoint.body, readBody(request), 'body');
    this.address = request.ip;
    this.#reply = reply;
    this.#context = context;
  }

  get signal(): EndSignal {
    this.#signal ??= this.#context.open.signalFor(this.#reply.raw);
    return this.#signal;
  }

  /** Nothing is read for it any more. */
  leaveOff(): void {
    this.#large?.leaveOff();
  }

  get large(): LargeRead {
    const { raw } = this.#reply;
    this.#large ??= new LargeRead(this.#context.app.sync.largeReads, this.requester?.userNo ?? 0, (over) => {
      if (raw.closed) over();
      else raw.once('close', over);
    });
    return this.#large;
  }
}

/** An absent body counts as {} for POST, where the specification has many bodies without a required member. */
function readBody(request: FastifyRequest): unknown {
  const bytes = request.body;
  if (bytes instanceof Buffer && bytes.length > 0) return parseJsonBody(bytes);
  if (request.method === 'POST' || request.method === 'DELETE') return {};
  throw new MatrixError('M_NOT_JSON', 'A JSON body is required.');
}

/** Registers an endpoint under its path and its aliases. */
export function serveEndpoint(server: FastifyInstance, endpoint: AnyEndpoint, context: ServingContext): void {
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const parsed = new ParsedRequest(endpoint, request, reply, context);
    const answer = await handled(endpoint, context.app, parsed);
    if (endpoint.showsActivity === true && parsed.requester !== undefined) noteActivity(context.app, parsed.requester);
    return sendAnswer(reply, answer, () => parsed.large);
  };
  const admit = (request: FastifyRequest, requester: Requester | undefined): void => {
    request.requester = requester;
    limitRate(endpoint, request, context.app);
  };
  // Not an async function: a caller who is known waits for nothing.
  const onRequest = (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
    // Clients send JSON under any content type, also ones that are not well-formed.
    request.headers['content-type'] = 'application/json';
    const requester = authenticate(endpoint, request, context.authenticator);
    if (!(requester instanceof Promise)) {
      admit(request, requester);
      done();
      return;
    }
    requester
      .then((found) => {
        admit(request, found);
      })
      .then(() => done(), done);
  };
  const config = { operationId: endpoint.operationId };
  for (const url of [endpoint.path, ...(endpoint.aliases ?? [])]) {
    server.route({ method: endpoint.method, url, handler, onRequest, config });
  }
}

async function handled(endpoint: AnyEndpoint, app: App, parsed: ParsedRequest): Promise<unknown> {
  try {
    return await endpoint.handle(app, parsed);
  } finally {
    parsed.leaveOff();
  }
}

function authenticate(
  endpoint: AnyEndpoint,
  request: FastifyRequest,
  authenticator: Authenticator,
): Requester | Promise<Requester> | undefined {
  if (endpoint.auth === 'none') return undefined;
  return authenticator.requester(request.headers.authorization, request.ip);
}

function noteActivity(app: App, requester: Requester): void {
  app.sync.presence?.writer.noteActive(requester);
}

function limitRate(endpoint: AnyEndpoint, request: FastifyRequest, app: App): void {
  if (endpoint.rateLimit === 'none') return;
  const perUser = request.requester !== undefined && !endpoint.rateLimit.endsWith('PerAddress');
  app.limits.take(endpoint.rateLimit, perUser ? String(request.requester?.userNo) : networkOf(request.ip));
}

function sendAnswer(reply: FastifyReply, answer: unknown, large: () => LargeRead): FastifyReply {
  if (answer instanceof RawJson) return sendText(reply, answer.text, large);
  if (answer instanceof StatusAnswer) return sendJson(reply.code(answer.status), JSON.stringify(answer.body));
  return sendText(reply, answer === undefined ? '{}' : JSON.stringify(answer), large);
}

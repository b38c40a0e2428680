import type { IncomingMessage } from 'node:http';
import type { Access } from './access.ts';
import type { AccessSource } from './kube-access.ts';
import { readJson, readRefusal } from './kube-answer.ts';
import { KubeError } from './kube-error.ts';
import type { Connections, Exchange } from './http-exchange.ts';
import { createConnections, exchange } from './http-exchange.ts';
import type { RateLimits } from './rate-limiter.ts';
import { createRateLimiter } from './rate-limiter.ts';

export interface TransportOptions {
  readonly access: AccessSource;
  readonly userAgent: string;
  readonly requestTimeoutMs: number;
  readonly rate: RateLimits;
  readonly onRequest: (request: FinishedRequest) => void;
}

export interface FinishedRequest {
  readonly verb: string;
  readonly kind: string;
  /** 0 when there was no answer. */
  readonly status: number;
  readonly seconds: number;
}

/** What is sent, and what it is called in metrics. */
export interface ApiRequest {
  readonly verb: string;
  readonly kind: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export interface Transport {
  /** Sends, reads the whole answer as JSON. Anything but 2xx is a KubeError. */
  send(request: ApiRequest): Promise<unknown>;
  /** Sends and gives the body as it comes; ends only by its end or the signal. */
  stream(request: ApiRequest): Promise<AsyncIterable<Uint8Array>>;
  close(): Promise<void>;
}

/** One set of connections, one rate limit, credentials that are read again when they change. */
export function createTransport(options: TransportOptions): Transport {
  const limiter = createRateLimiter(options.rate);
  const pool = createConnectionPool();

  async function attempt(request: ApiRequest, fresh: boolean): Promise<IncomingMessage> {
    const access = await options.access.current(fresh);
    await limiter.take(request.signal);
    const agent = pool.connectionsFor(access)[request.verb === 'watch' ? 'watches' : 'requests'];
    return exchange({ ...toExchange(request, access, options.userAgent), agent });
  }

  async function checked(request: ApiRequest): Promise<IncomingMessage> {
    let response = await attempt(request, false);
    if (response.statusCode === 401) {
      // Tokens and certificates are replaced while we run: one more try with what is on disk now.
      response.destroy();
      response = await attempt(request, true);
    }
    if ((response.statusCode ?? 0) >= 300) throw await readRefusal(nameOf(request), response);
    return response;
  }

  function withinDeadline<T>(request: ApiRequest, work: (limited: ApiRequest) => Promise<T>): Promise<T> {
    return withDeadline(options.requestTimeoutMs, request.signal, (signal) => work({ ...request, signal }));
  }

  async function measured<T>(request: ApiRequest, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    const report = (status: number) => {
      const { verb, kind } = request;
      options.onRequest({ verb, kind, status, seconds: (performance.now() - started) / 1000 });
    };
    try {
      const result = await work();
      report(200);
      return result;
    } catch (error) {
      const failure = asKubeError(request, error);
      if (failure.status === 429 && failure.retryAfterMs !== undefined) limiter.pause(failure.retryAfterMs);
      report(failure.status);
      throw failure;
    }
  }

  return {
    send: (request) =>
      measured(request, () => withinDeadline(request, async (limited) => readJson(await checked(limited)))),
    // The deadline is for the head of the answer; the body ends with the watch or by the reflector's watchdog.
    stream: (request) => measured(request, () => withinDeadline(request, checked)),
    close: () => {
      pool.destroy();
      return Promise.resolve();
    },
  };
}

/** The timer ends with the work: AbortSignal.timeout would keep a finished request's memory for the rest of its 30 s. */
async function withDeadline<T>(
  ms: number,
  parent: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const failure = new Error(`not done within ${ms} ms`);
  const timer = setTimeout(() => late.abort(failure), ms);
  try {
    return await work(parent === undefined ? late.signal : AbortSignal.any([parent, late.signal]));
  } catch (error) {
    throw late.signal.aborted ? failure : error;
  } finally {
    clearTimeout(timer);
  }
}

/** 16 workers and 48 more whose runs are long, a few requests each at most; one too many waits. */
const MOST_REQUESTS = 128;

/** Apart: a watch holds its connection for minutes, and requests must not wait for watches. */
interface ConnectionSet {
  readonly requests: Connections;
  readonly watches: Connections;
}

function connect(server: string, tls: Access['tls']): ConnectionSet {
  return {
    requests: createConnections(server, tls, MOST_REQUESTS),
    watches: createConnections(server, tls, Number.POSITIVE_INFINITY),
  };
}

function disconnect(set: ConnectionSet | undefined): void {
  set?.requests.destroy();
  set?.watches.destroy();
}

/** Keeps one set of connections and makes another when certificates change (exec plugins, renewed client certificates). */
function createConnectionPool() {
  let current: { tls: Access['tls']; fingerprint: string; connections: ConnectionSet } | undefined;
  /** The set before the present one: its requests and watches end by themselves, its idle connections after 30 s. */
  let last: ConnectionSet | undefined;
  return {
    connectionsFor({ server, tls }: Access): ConnectionSet {
      if (current?.tls === tls) return current.connections;
      const fingerprint = JSON.stringify(tls);
      if (current?.fingerprint === fingerprint) {
        current = { ...current, tls };
        return current.connections;
      }
      disconnect(last);
      last = current?.connections;
      current = { tls, fingerprint, connections: connect(server, tls) };
      return current.connections;
    },
    destroy(): void {
      disconnect(last);
      disconnect(current?.connections);
    },
  };
}

function toExchange(request: ApiRequest, access: Access, userAgent: string): Exchange {
  const query = request.query === undefined ? '' : `?${new URLSearchParams(request.query).toString()}`;
  const contentType = request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' };
  return {
    url: `${access.server.replace(/\/$/, '')}${request.path}${query}`,
    method: request.method,
    headers: { ...access.headers, accept: 'application/json', 'user-agent': userAgent, ...contentType },
    body: request.body === undefined ? undefined : JSON.stringify(request.body),
    signal: request.signal,
  };
}

function nameOf(request: ApiRequest): string {
  return `${request.verb} ${request.kind} ${request.path}`;
}

function asKubeError(request: ApiRequest, error: unknown): KubeError {
  if (error instanceof KubeError) return error;
  const why = error instanceof Error ? error.message : 'unknown failure';
  return new KubeError(0, 'NoAnswer', `${nameOf(request)}: ${why}`, { cause: error });
}

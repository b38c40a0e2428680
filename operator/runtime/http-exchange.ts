import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { RequestOptions } from 'node:https';
import type { Socket } from 'node:net';

/** One request as HTTP sees it. */
export interface Exchange {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Ends the request and, later, the reading of its body. */
  readonly signal?: AbortSignal | undefined;
  /** For a connection of its own: options of node:tls such as ca and servername. */
  readonly tls?: Readonly<Record<string, unknown>> | undefined;
  /** Absent: a connection of its own, closed after the answer. */
  readonly agent?: Connections | undefined;
}

/** Connections to one server that are kept for later requests. */
export type Connections = HttpAgent;

const CONNECT_TIMEOUT_MS = 10_000;
/** Idle connections are closed before a server or a load balancer in between would do so while we send. */
const IDLE_MS = 30_000;
const KEEP_ALIVE_PROBE_MS = 30_000;
const MAX_IDLE = 16;

/** Opens nothing yet; a request beyond `most` at a time waits. `tls`: options of node:tls such as ca, cert, key, servername. */
export function createConnections(url: string, tls: Readonly<Record<string, unknown>>, most: number): Connections {
  const options = {
    keepAlive: true,
    keepAliveMsecs: KEEP_ALIVE_PROBE_MS,
    maxSockets: most,
    maxFreeSockets: MAX_IDLE,
    timeout: IDLE_MS,
  };
  return url.startsWith('https:') ? new HttpsAgent({ ...options, ...tls }) : new HttpAgent(options);
}

/**
 * Sends one request and gives the answer as soon as its head is there; the body is still to be read, or `destroy`ed.
 * Nothing is followed or retried. Connecting takes 10 s at most, the rest as long as the signal allows.
 */
export function exchange({ url, method, headers, body, signal, tls, agent }: Exchange): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options: RequestOptions = {
      ...tls,
      method: method ?? 'GET',
      agent: agent ?? false,
      // Node leaves the length of a DELETE's body out by itself.
      headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
      ...(signal === undefined ? {} : { signal }),
    };
    const sent = url.startsWith('https:') ? httpsRequest(url, options) : httpRequest(url, options);
    guardSocket(sent);
    sent.once('response', resolve);
    // Stays for the life of the request: after the head a broken connection shows where the body is read.
    sent.on('error', reject);
    sent.end(body);
  });
}

function guardSocket(sent: ClientRequest): void {
  sent.once('socket', (socket: Socket) => {
    if (!socket.connecting) return;
    // For its whole life: between two requests Node listens for no moment, and an abort in it would end the process.
    socket.on('error', () => undefined);
    const late = () => sent.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`));
    const timer = setTimeout(late, CONNECT_TIMEOUT_MS);
    const done = () => clearTimeout(timer);
    socket.once('connect', done);
    socket.once('close', done);
  });
}

import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';

/** Longest time to receive a whole request, ms; an answer may take longer (long polls). */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 20_000;
/** Longer than the idle time of usual proxies (60 s), so that they close first and no request meets a closing connection. */
const KEEP_ALIVE_MS = 75_000;
/** Most connections: each request under way and as many idle ones. */
const MAX_CONNECTIONS = 20_000;

/** PEM certificate and key. */
export interface TlsIdentity {
  cert: string;
  key: string;
}

/** Node's server with our limits, plain or TLS. */
export function createNodeServer(listener: RequestListener, tls: TlsIdentity | undefined): Server {
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

const BROKEN = JSON.stringify({ errcode: 'M_UNKNOWN', error: 'This is not a valid HTTP request.' });
const TOO_SLOW = JSON.stringify({ errcode: 'M_UNKNOWN', error: 'The request took too long to arrive.' });

/** What is not HTTP, or comes too slowly, never reaches an endpoint: answered on the socket as far as it can take it. */
export function answerBrokenRequest(error: Error, socket: Socket): void {
  if (!socket.writable || ('code' in error && error.code === 'ECONNRESET')) {
    socket.destroy();
    return;
  }
  const slow = 'code' in error && error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const [status, body] = slow ? ['408 Request Timeout', TOO_SLOW] : ['400 Bad Request', BROKEN];
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`;
  socket.end(`${head}\r\nConnection: close\r\n\r\n${body}`);
}

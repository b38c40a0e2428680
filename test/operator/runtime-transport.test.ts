import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Access } from '../../operator/runtime/access.ts';
import { KubeError } from '../../operator/runtime/kube-error.ts';
import type { ApiRequest, Transport } from '../../operator/runtime/kube-transport.ts';
import { createTransport } from '../../operator/runtime/kube-transport.ts';

const GET: ApiRequest = { verb: 'get', kind: 'raw', method: 'GET', path: '/version' };

const rate = { perSecond: 100, burst: 200 };

let server: Server;
let sockets: Set<Socket>;
let transport: Transport;
let handle: (request: IncomingMessage, response: ServerResponse) => void;
let credentials: { headers: Record<string, string>; tls: Record<string, unknown> };
/** How often credentials were asked for that are not from memory. */
let fresh: number;

beforeEach(async () => {
  sockets = new Set();
  handle = (_request, response) => response.end('{}');
  server = createServer((request, response) => handle(request, response));
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  credentials = { headers: { authorization: 'Bearer old' }, tls: {} };
  fresh = 0;
  transport = createTransport({
    access: { current: (again = false) => Promise.resolve(access(again)) },
    userAgent: 'test',
    requestTimeoutMs: 10_000,
    rate,
    onRequest: () => undefined,
  });
});
afterEach(async () => {
  await transport.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function access(again: boolean): Access {
  if (again) {
    fresh += 1;
    credentials = { ...credentials, headers: { authorization: 'Bearer new' } };
  }
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return { server: `http://127.0.0.1:${address.port}/base/`, ...credentials };
}

async function failure(work: Promise<unknown>): Promise<KubeError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof KubeError) return error;
  throw new Error('a KubeError was expected', { cause: error });
}

test('requests in a row share one connection, and paths keep the prefix of the server', async () => {
  const urls: (string | undefined)[] = [];
  handle = (request, response) => {
    urls.push(request.url);
    response.end('{}');
  };
  await transport.send(GET);
  await transport.send({ ...GET, query: { limit: '5', labelSelector: 'a=b' } });
  expect(urls).toEqual(['/base/version', '/base/version?limit=5&labelSelector=a%3Db']);
  expect(sockets.size).toBe(1);
});

test('however many watches run, a request does not wait for one of them to end', async () => {
  handle = (request, response) => {
    if (request.url?.includes('watch') === true) response.write('{}\n');
    else response.end('{}');
  };
  const many = createTransport({
    access: { current: () => Promise.resolve(access(false)) },
    userAgent: 'test',
    requestTimeoutMs: 60_000,
    rate: { perSecond: 100_000, burst: 100_000 },
    onRequest: () => undefined,
  });
  const watch: ApiRequest = { ...GET, verb: 'watch', query: { watch: 'true' } };
  try {
    await Promise.all(Array.from({ length: 600 }, () => many.stream(watch)));
    expect(await many.send(GET)).toEqual({});
    expect(sockets.size).toBe(601);
  } finally {
    await many.close();
  }
});

test('other certificates lead to another connection, while a running watch goes on over the old one', async () => {
  handle = (request, response) => {
    response.write('{}');
    if (request.url?.endsWith('/watch') !== true) response.end();
  };
  const watch = await transport.stream({ ...GET, path: '/watch' });
  credentials = { ...credentials, tls: { ca: Buffer.from('another') } };
  await transport.send(GET);
  expect(sockets.size).toBe(2);
  const chunk = await watch[Symbol.asyncIterator]().next();
  expect(String(chunk.value)).toBe('{}');
});

test('a 401 is tried once more with credentials that are read anew', async () => {
  const seen: (string | undefined)[] = [];
  handle = (request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(seen.length === 1 ? 401 : 200).end('{"ok":true}');
  };
  expect(await transport.send(GET)).toEqual({ ok: true });
  expect([seen, fresh]).toEqual([['Bearer old', 'Bearer new'], 1]);
  handle = (_request, response) => response.writeHead(401).end('{"message":"not you"}');
  expect((await failure(transport.send(GET))).status).toBe(401);
  expect(fresh).toBe(2);
});

test.for(['POST', 'PUT', 'PATCH', 'DELETE'] as const)('the body of a %s arrives whole', async (method) => {
  handle = (request, response) => {
    const { 'content-length': length, 'content-type': type } = request.headers;
    text(request).then(
      (body) => response.end(JSON.stringify({ body, length, type })),
      () => response.destroy(),
    );
  };
  const body = { name: 'Zürich' };
  expect(await transport.send({ ...GET, method, body })).toEqual({
    body: JSON.stringify(body),
    length: '18',
    type: 'application/json',
  });
});

test.for([
  {
    name: 'a connection cut before the answer',
    answer: (response: ServerResponse) => response.destroy(),
  },
  {
    name: 'a connection cut in the answer',
    answer: (response: ServerResponse) => response.write('{"half":', () => response.destroy()),
  },
  { name: 'an answer that is no JSON', answer: (response: ServerResponse) => response.end('<html>') },
])('$name is a KubeError that may be retried', async ({ answer }) => {
  handle = (_request, response) => answer(response);
  expect(await failure(transport.send(GET))).toMatchObject({ status: 0, reason: 'NoAnswer' });
});

test('an answer that does not end is given up in time, and the error says so', async () => {
  const hasty = createTransport({
    access: { current: () => Promise.resolve(access(false)) },
    userAgent: 'test',
    requestTimeoutMs: 100,
    rate,
    onRequest: () => undefined,
  });
  handle = (_request, response) => response.write('{');
  expect((await failure(hasty.send(GET))).message).toContain('not done within 100 ms');
  handle = () => undefined;
  expect((await failure(hasty.stream(GET))).message).toContain('not done within 100 ms');
  await hasty.close();
});

test('a signal ends a watch after its head, and closing ends what still runs', async () => {
  handle = (_request, response) => response.write('{}\n');
  const stop = new AbortController();
  const watch = await transport.stream({ ...GET, signal: stop.signal });
  const read = (async () => {
    for await (const chunk of watch) if (String(chunk) === '{}\n') stop.abort();
  })();
  await expect(read).rejects.toThrow();
  handle = () => undefined;
  const hanging = failure(transport.send(GET));
  while (sockets.size < 2) await new Promise((resolve) => setImmediate(resolve));
  await transport.close();
  expect((await hanging).status).toBe(0);
});

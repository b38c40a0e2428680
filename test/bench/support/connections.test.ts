import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Connections } from './connections.ts';

const sockets = new Set<unknown>();
let server: Server;
let connections: Connections;

beforeAll(async () => {
  server = createServer((request, answer) => {
    sockets.add(request.socket);
    if (request.url === '/dies') request.socket.destroy();
    if (request.url === '/last') answer.setHeader('connection', 'close');
    const { method, url, headers } = request;
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      answer.end(JSON.stringify({ method, url, token: headers.authorization, body: Buffer.concat(parts).toString() }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  connections = new Connections(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`);
});

afterAll(async () => {
  connections.close();
  await new Promise((resolve) => server.close(resolve));
});

const get = (path: string) => connections.call({ method: 'GET', path, wantsBody: true });

describe('connections of the load', () => {
  it('carry one request after another, with tokens and bodies', async () => {
    const call = { method: 'PUT', path: '/', token: 'secret', body: '{"text":"ä€"}', wantsBody: true } as const;
    for (const round of [1, 2, 3]) {
      const answer = await connections.call({ ...call, path: `/${round}` });
      const expected = { method: 'PUT', url: `/${round}`, token: 'Bearer secret', body: call.body };
      expect(JSON.parse(answer.body.toString())).toEqual(expected);
    }
    expect(sockets.size).toBe(1);
  });

  it('are as many as there are requests at once', async () => {
    await Promise.all([get('/a'), get('/b'), get('/c')]);
    expect(sockets.size).toBe(3);
  });

  it('are left when the server says that it was the last answer', async () => {
    for (const path of ['/last', '/last', '/last', '/next']) expect((await get(path)).status).toBe(200);
    expect(sockets.size).toBe(4);
  });

  it('fail when the server hangs up', async () => {
    await expect(get('/dies')).rejects.toThrow();
  });
});

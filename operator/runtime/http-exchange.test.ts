import { once } from 'node:events';
import { Agent, createServer } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exchange } from './http-exchange.ts';

const server = createServer((_request, response) => response.end('one\ntwo\n'));
const agent = new Agent({ keepAlive: true });
let url: string;
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`;
});
afterAll(() => {
  agent.destroy();
  server.close();
});

test('an abort after the last byte ends nothing but the body', async () => {
  for (let i = 0; i < 20; i += 1) {
    const stop = new AbortController();
    const bodies = await Promise.all([1, 2].map(() => exchange({ url, signal: stop.signal, agent })));
    const [read] = bodies;
    for await (const chunk of read ?? []) {
      expect(String(chunk)).toBe('one\ntwo\n');
      // An error that nobody hears would fail this run.
      stop.abort();
      break;
    }
    for (const body of bodies) if (!body.closed) await once(body, 'close');
  }
});

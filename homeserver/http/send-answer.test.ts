import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { AddressInfo } from 'node:net';
import { fastify } from 'fastify';
import { expect, onTestFinished, test } from 'vitest';
import { LargeRead, LargeReads } from '../sync/large-reads.ts';
import { letGoOfSlow, sendText } from './send-answer.ts';
import type { SlowLimits } from './send-answer.ts';

/** More than the sockets of both ends take in while nobody reads. */
const LARGE = Buffer.alloc(32_000_000, ' ');

/** Sends LARGE to whoever asks; resolves with how the first answer has ended. */
async function askSlowly(limits: SlowLimits, read: boolean): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer((_request, response) => {
    response.once('close', () => resolve(response.writableFinished));
    letGoOfSlow(response, LARGE.length, limits);
    response.end(LARGE);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined);
  onTestFinished(async () => {
    client.destroy();
    server.close();
    await once(server, 'close');
  });
  client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  if (read) client.resume();
  else client.pause();
  return promise;
}

test('a client that takes nothing of an answer is let go', async () => {
  expect(await askSlowly({ stalledMs: 50, slowest: 100_000 }, false)).toBe(false);
});

test('a client that takes the answer has all of it', async () => {
  expect(await askSlowly({ stalledMs: 60_000, slowest: 100_000 }, true)).toBe(true);
});

test('an answer in pieces arrives whole, and counts until it is away', async () => {
  const reads = new LargeReads();
  const server = fastify();
  const shared = Buffer.from(`"${'ä'.repeat(200_000)}"`);
  let most = 0;
  server.get('/', (_request, reply) => {
    const large = () => new LargeRead(reads, 1, (over) => reply.raw.once('close', over));
    const answer = sendText(reply, ['[', shared, ',"ö"]'], large);
    most = reads.figures().bytes;
    return answer;
  });
  onTestFinished(() => server.close());
  const url = await server.listen({ port: 0, host: '127.0.0.1' });
  const answer = await fetch(url);
  expect(answer.headers.get('content-type')).toBe('application/json');
  expect(Number(answer.headers.get('content-length'))).toBe(400_002 + 7);
  if (answer.body === null) throw new Error('no body');
  expect((await buffer(answer.body)).toString()).toBe(`["${'ä'.repeat(200_000)}","ö"]`);
  expect(most).toBe(400_002 + 7);
  await expect.poll(() => reads.figures().bytes).toBe(0);
});

test('an answer of several strings arrives whole, and counts only when it is large', async () => {
  const server = fastify();
  let counted = 0;
  const large = () => {
    counted += 1;
    return new LargeRead(new LargeReads(), 1, () => undefined);
  };
  const text = (length: number) => ['[', `"${'ä'.repeat(length)}"`, ',"\u{1f600}"', ']'];
  server.get('/*', (request, reply) => sendText(reply, text(Number(request.url.slice(1))), large));
  onTestFinished(() => server.close());
  const url = await server.listen({ port: 0, host: '127.0.0.1' });
  for (const length of [10, 100_000, 200_000]) {
    const answer = await fetch(`${url}/${length}`);
    expect(await answer.text()).toBe(text(length).join(''));
    expect(answer.headers.get('content-length')).toBe(String(Buffer.byteLength(text(length).join(''))));
  }
  expect(counted).toBe(1);
});

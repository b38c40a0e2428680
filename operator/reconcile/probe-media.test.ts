import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mediaState } from './probe-media.ts';

let server: Server;
let url: string;
let answer = '';
beforeAll(async () => {
  server = createServer((_request, response) => response.end(answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
});
afterAll(() => server.close());

const problem = 'media.s3.credentialsDirectory: answered 403';
const cases = [
  { name: 'a bucket that works', text: JSON.stringify({ status: 'ready', media: {} }), is: { state: 'usable' } },
  {
    name: 'one that does not, by the field of the spec',
    text: JSON.stringify({ status: 'ready', media: { problem } }),
    is: { state: 'unusable', problem: 'spec.media.s3.credentialsSecretRef: answered 403' },
  },
  {
    name: 'a version that says nothing of it',
    text: JSON.stringify({ status: 'ready' }),
    is: { state: 'unknown', because: 'this version does not say whether its bucket works' },
  },
  {
    name: 'an answer of something else',
    text: 'x'.repeat(100_000),
    is: { state: 'unknown', because: 'no replica has said whether its bucket works' },
  },
];

test.for(cases)('$name', async ({ text, is }) => {
  answer = text;
  expect(await mediaState(url)).toEqual(is);
});

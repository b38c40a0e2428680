import { expect, test } from 'vitest';
import { KnownPaths } from './known-paths.ts';

const paths = new KnownPaths();
paths.add('/_matrix/client/v3/rooms/:roomId/send/:eventType/:txnId');
paths.add('/_matrix/client/v3/login');

const cases = [
  { name: 'a path without parameters', url: '/_matrix/client/v3/login', known: true },
  { name: 'a path with a query', url: '/_matrix/client/v3/login?x=/', known: true },
  { name: 'a path with parameters', url: '/_matrix/client/v3/rooms/!a:b/send/m.text/1', known: true },
  { name: 'a path that ends early', url: '/_matrix/client/v3/rooms/!a:b/send', known: false },
  { name: 'a path that goes on', url: '/_matrix/client/v3/login/more', known: false },
];

test.for(cases)('$name is known: $known', ({ url, known }) => {
  expect(paths.has(url)).toBe(known);
});

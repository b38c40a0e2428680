import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const HOMESERVER = join(import.meta.dirname, '..', '..', 'homeserver');

/** Collections that last as long as a replica and are no caches: what they hold, and what bounds them. */
const NO_CACHES: Readonly<Record<string, string>> = {
  'accounts/seen-devices.ts #pending': 'devices to be written down, MAX_PENDING',
  'accounts/token-cache.ts #waiting': 'requests under way that wait for their token',
  'accounts/token-cache.ts #watching': 'requests under way, by device',
  'caches.ts #open': 'the caches themselves',
  'config/keyring.ts #listeners': 'parts of the program',
  'http/known-paths.ts #paths': 'the routes',
  'http/open-requests.ts #waiting': 'requests under way',
  'http/open-requests.ts #whenIdle': 'parts of the program',
  'http/rate-limit.ts #buckets': 'what callers have used up, nowhere else to be had; MAX_BUCKETS',
  'pipeline/create-room-writer.ts #sending': 'requests under way',
  'pipeline/event-receiver.ts #last': 'events under way, by room',
  'pipeline/own-data-changes.ts #last': 'requests under way, by user',
  'pipeline/resolution-pool.ts #busy': 'threads',
  'pipeline/resolve-state.ts #numbers': 'of one resolution',
  'pipeline/working-room.ts #overlay': 'of one batch',
  'storage/commit-feed.ts #onCommit': 'parts of the program',
  'storage/commit-feed.ts #onReset': 'parts of the program',
  'storage/commit-feed.ts #onVolatile': 'parts of the program',
  'storage/replica.ts #signed': 'our signing keys, MAX_KEYS',
  'storage/sole-replica.ts #unaware': 'other processes that have not answered yet',
  'sync/countable-events.ts #newest': 'of what recent_events keeps of a room',
  'sync/countable-events.ts #written': 'of what recent_events keeps of a room',
  'sync/notifier.ts #byRoom': 'polls that wait, MAX_ROOM_ENTRIES',
  'sync/notifier.ts #byUser': 'polls that wait, MAX_WAITERS',
  'sync/large-reads.ts #users': 'requests under way',
  'sync/large-reads.ts #shared': 'answers under way',
  'sync/read-memory.ts #underWay': 'requests under way',
  'sync/presence-feed.ts #waiting': 'users to be looked up, at most all of them',
  'sync/typing.ts #rooms': 'who types, nowhere else to be had; MAX_ROOMS and MAX_USERS',
};

const FIELD = /^ {2}(?:readonly )?(#\w+)(?:: [^=\n]+)? = new (?:Map|Set|WeakMap)\b/gm;

const collections = globSync('**/*.ts', { cwd: HOMESERVER, exclude: ['**/*.test.ts', 'room/**'] }).flatMap((file) => {
  const text = readFileSync(join(HOMESERVER, file), 'utf8');
  // What can say how full it is, is a cache; that each is watched is seen in the metrics of a running replica.
  const isCache = /\bfigures\(\): CacheFigures\b/.test(text);
  return [...text.matchAll(FIELD)].map(([, field]) => ({ name: `${file} ${field}`, isCache }));
});

test('every collection that lasts as long as a replica is a cache with figures, or it is known why it needs none', () => {
  const unexplained = collections.filter(({ name, isCache }) => !isCache && NO_CACHES[name] === undefined);
  expect(unexplained).toEqual([]);
  const names = new Set(collections.map(({ name }) => name));
  expect(Object.keys(NO_CACHES).filter((name) => !names.has(name))).toEqual([]);
});

import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { type ObjectStore, ObjectStoreError } from '../object-store/object-store.ts';
import { memoryObjectStore } from '../../test/support/memory-object-store.ts';
import { watchBucket } from './watch-bucket.ts';

const PATIENCE = { timeout: 20_000, interval: 5 };

function begin(found: string | undefined) {
  const lines: string[] = [];
  const state = { isAway: found !== undefined, looks: 0, isClosed: false };
  const memory = memoryObjectStore();
  const store: ObjectStore = {
    ...memory.store,
    put: (name, bytes) => {
      state.looks += 1;
      const away = new ObjectStoreError('no answer', { passing: true, code: 'Unreachable' });
      return state.isAway ? Promise.reject(away) : memory.store.put(name, bytes);
    },
    close: () => {
      state.isClosed = true;
      return Promise.resolve();
    },
  };
  const log = pino({ base: null }, { write: (line: string) => lines.push(line) });
  const everyMs = { good: 1, bad: 1 };
  const watch = watchBucket({ store, awayField: 'media.s3.endpoint', found, log, everyMs });
  return { watch, state, lines };
}

test('a bucket that is away is told by its field until it is back, and told once', async () => {
  const { watch, state, lines } = begin(undefined);
  await vi.waitFor(() => expect(state.looks).toBeGreaterThan(2), PATIENCE);
  expect(watch.problem).toBeUndefined();
  state.isAway = true;
  await vi.waitFor(() => expect(watch.problem).toBeDefined(), PATIENCE);
  expect(watch.problem).toBe(
    'media.s3.endpoint: an object in s3://files/test.example/media/ cannot be written: no answer',
  );
  const { looks } = state;
  await vi.waitFor(() => expect(state.looks).toBeGreaterThan(looks + 3), PATIENCE);
  state.isAway = false;
  await vi.waitFor(() => expect(watch.problem).toBeUndefined(), PATIENCE);
  await watch.close();
  expect(lines.map((line) => /"msg":"([^"]*)"/.exec(line)?.[1])).toEqual([
    'files cannot be kept now',
    'files can be kept again',
  ]);
});

test('what was found at the start is what is said; a closed watch looks no more', async () => {
  const { watch, state } = begin('media.s3.bucket: gone');
  expect(watch.problem).toBe('media.s3.bucket: gone');
  await watch.close();
  expect(state).toMatchObject({ isClosed: true, looks: 0 });
});

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLogger } from '../log.ts';
import { closeAll } from './close-all.ts';
import type { Closer } from './close-all.ts';

const how = { settleMs: 1000, drainMs: 2000 };
const log = createLogger({ level: 'silent' });
const never = () => new Promise<void>(() => undefined);
let closed: string[];

beforeEach(() => {
  vi.useFakeTimers();
  closed = [];
});
afterEach(() => {
  vi.useRealTimers();
});

const closer = (name: string, close: Closer['close'] = () => undefined): Closer => ({
  name,
  close: async (options) => {
    await close(options);
    closed.push(name);
  },
});

test('closes what was opened last first, and says that all is closed', async () => {
  expect(await closeAll([closer('a'), closer('b'), closer('c')], how, log)).toBe(true);
  expect(closed).toEqual(['c', 'b', 'a']);
});

test.for([
  { what: 'rejects', close: () => Promise.reject(new Error('the database is gone')) },
  {
    what: 'throws',
    close: () => {
      throw new Error('a defect');
    },
  },
])('what $what keeps nothing else from being closed', async ({ close }) => {
  expect(await closeAll([closer('a'), { name: 'b', close }, closer('c')], how, log)).toBe(false);
  expect(closed).toEqual(['c', 'a']);
});

test('what hangs is left when the time is over, and the others still get a moment', async () => {
  const slowly = () => new Promise<void>((resolve) => setTimeout(resolve, 200));
  const all = closeAll([closer('a', slowly), closer('b', never), closer('c', never), closer('d')], how, log);
  await vi.advanceTimersByTimeAsync(12_999);
  expect(closed).toEqual(['d']);
  await vi.advanceTimersByTimeAsync(2 * (1 + 250));
  expect(await all).toBe(false);
  expect(closed).toEqual(['d', 'a']);
});

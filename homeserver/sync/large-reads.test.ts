import { expect, test } from 'vitest';
import { LargeRead, LargeReads } from './large-reads.ts';

/** A request whose end the test decides: its reader is gone, or has the answer. */
function openRead(reads: LargeReads, userNo: number): { read: LargeRead; gone: () => void; over: () => void } {
  const ends: (() => void)[] = [];
  const read = new LargeRead(reads, userNo, (end) => ends.push(end));
  const gone = () => {
    for (const end of ends) end();
  };
  const over = () => {
    read.leaveOff();
    gone();
  };
  return { read, gone, over };
}

const bound = { bytes: 100, small: 10, waiting: 3, waitMs: 60_000 };
const newReads = (more = {}) => new LargeReads(undefined, { ...bound, ...more });

/** Whether a wait is over by now. */
async function isOver(wait: Promise<void> | undefined): Promise<boolean> {
  const later = Symbol();
  return (await Promise.race([wait, new Promise((resolve) => setImmediate(resolve, later))])) !== later;
}

test('small answers wait for nothing and are not counted', () => {
  const reads = newReads();
  expect(openRead(reads, 1).read.take(1000)).toBeUndefined();
  expect(openRead(reads, 2).read.take(9)).toBeUndefined();
  expect(reads.figures()).toEqual({ bytes: 1000, waiting: 0 });
});

test('a large answer waits until there is room, and what is made counts with its own bytes only', async () => {
  const reads = newReads();
  const [first, second] = [openRead(reads, 1), openRead(reads, 2)];
  expect(first.read.take(80)).toBeUndefined();
  const wait = second.read.take(50);
  expect(await isOver(wait)).toBe(false);
  first.read.made(50, []);
  expect(await isOver(wait)).toBe(true);
  expect(reads.figures()).toEqual({ bytes: 100, waiting: 0 });
  first.over();
  second.over();
  expect(reads.figures()).toEqual({ bytes: 0, waiting: 0 });
});

test('who has nothing under way comes before those who have, and nobody else is overtaken', async () => {
  const reads = newReads();
  const [first, again, other] = [openRead(reads, 1), openRead(reads, 1), openRead(reads, 2)];
  const running = openRead(reads, 1);
  await first.read.take(90);
  await running.read.take(10);
  const waits = [again.read.take(90), other.read.take(90)];
  first.over();
  expect([await isOver(waits[0]), await isOver(waits[1])]).toEqual([false, true]);
  // A smaller one would fit, but others came before it.
  const small = openRead(reads, 3).read.take(10);
  running.over();
  expect([await isOver(waits[0]), await isOver(small)]).toEqual([false, false]);
  other.over();
  expect([await isOver(waits[0]), await isOver(small)]).toEqual([true, true]);
});

test('a request that has begun never waits for others that wait for it', async () => {
  const reads = newReads();
  const first = openRead(reads, 1);
  expect(first.read.take(60)).toBeUndefined();
  const wait = openRead(reads, 2).read.take(60);
  expect(first.read.take(90)).toBeUndefined();
  expect(reads.figures()).toEqual({ bytes: 90, waiting: 1 });
  first.over();
  await wait;
});

test('too many that wait, or too long a wait, is 503 with a time to come again', async () => {
  const reads = newReads({ waiting: 1, waitMs: 1 });
  expect(openRead(reads, 1).read.take(100)).toBeUndefined();
  const wait = openRead(reads, 2).read.take(100);
  expect(() => openRead(reads, 3).read.take(100)).toThrow('Too many large answers');
  const refusal = { code: 'M_LIMIT_EXCEEDED', status: 503, headers: { 'retry-after': '5' } };
  await expect(wait).rejects.toMatchObject(refusal);
  expect(reads.figures()).toEqual({ bytes: 100, waiting: 0 });
});

test('a reader who is gone waits no longer, and holds nothing', async () => {
  const reads = newReads();
  const [first, second, last] = [openRead(reads, 1), openRead(reads, 2), openRead(reads, 3)];
  await first.read.take(100);
  const waits = [second.read.take(100), last.read.take(100)];
  second.gone();
  await expect(waits[0]).rejects.toMatchObject({ code: 'M_LIMIT_EXCEEDED' });
  first.over();
  await waits[1];
  // What is made for somebody who is gone takes its memory until it is left off.
  last.gone();
  expect(reads.figures()).toEqual({ bytes: 100, waiting: 0 });
  last.read.leaveOff();
  expect(reads.figures()).toEqual({ bytes: 0, waiting: 0 });
  last.read.made(100, []);
  expect(reads.figures()).toEqual({ bytes: 0, waiting: 0 });
});

test('bytes that several are sent count once, until the last of them has them', () => {
  const reads = newReads();
  const shared = Buffer.alloc(40);
  const [first, second] = [openRead(reads, 1), openRead(reads, 2)];
  for (const { read } of [first, second]) read.made(5, [shared]);
  expect(reads.figures().bytes).toBe(50);
  first.over();
  expect(reads.figures().bytes).toBe(45);
  second.over();
  expect(reads.figures().bytes).toBe(0);
});

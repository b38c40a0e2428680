import { expect, test } from 'vitest';
import { GatheredReads } from './gathered-reads.ts';

/** Reads that end when they are told to. */
function reads() {
  const asked: string[][] = [];
  const ends: ((error?: Error) => void)[] = [];
  const gathered = new GatheredReads<string, number>((keys) => {
    asked.push([...keys]);
    return new Promise((resolve, reject) =>
      ends.push((error) => {
        if (error === undefined) resolve(new Map(keys.map((key) => [key, key.length])));
        else reject(error);
      }),
    );
  });
  return { gathered, asked, ends };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('look-ups of one turn are one read, and those that come meanwhile the next', async () => {
  const { gathered, asked, ends } = reads();
  const first = [gathered.read(['a']), gathered.read(['bb', 'a'])];
  expect(asked).toEqual([]);
  await turn();
  const later = [gathered.read(['a']), gathered.read(['ccc'])];
  await turn();
  expect(asked).toEqual([['a', 'bb']]);
  ends[0]?.();
  expect((await Promise.all(first)).map((found) => found.get('a'))).toEqual([1, 1]);
  await turn();
  // What was asked for after a read had begun may be newer than what that read found.
  expect(asked).toEqual([
    ['a', 'bb'],
    ['a', 'ccc'],
  ]);
  ends[1]?.();
  expect((await Promise.all(later)).map((found) => found.get('ccc'))).toEqual([3, 3]);
});

test('a read that fails fails for those who share it, not for those after it', async () => {
  const { gathered, ends } = reads();
  const failing = Promise.allSettled([gathered.read(['a']), gathered.read(['b'])]);
  await turn();
  const next = gathered.read(['a']);
  ends[0]?.(new Error('away'));
  expect((await failing).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await turn();
  ends[1]?.();
  expect((await next).get('a')).toBe(1);
});

test('many keys are several reads, one after the other', async () => {
  const { gathered, asked, ends } = reads();
  const all = Array.from({ length: 3 }, (_, i) => gathered.read(Array.from({ length: 300 }, (_, n) => `${i}/${n}`)));
  for (let read = 0; read < 3; read += 1) {
    await turn();
    expect(asked).toHaveLength(read + 1);
    ends[read]?.();
    expect((await all[read])?.size).toBe(300);
  }
});

test('nothing to look up asks nobody', async () => {
  const { gathered, asked } = reads();
  expect((await gathered.read([])).size).toBe(0);
  await turn();
  expect(asked).toEqual([]);
});

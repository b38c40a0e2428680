import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Source } from './merge-lines.ts';
import { linesOf, mergeAsTheyCome, mergeByTime } from './merge-lines.ts';

async function* give<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const stamp = (second: number) => new Date(Date.UTC(2026, 10, 1, 0, 0, second)).toISOString().replace('Z', '000001Z');
const source = (name: string, seconds: readonly number[]): Source => ({
  name,
  lines: give(seconds.map((second) => `${stamp(second)} ${name}${second}`)),
});

test('logs that end come by time, and the time that Kubernetes put there is taken off', async () => {
  const merged = await all(mergeByTime([source('a', [1, 4, 5]), source('b', []), source('c', [2, 3, 6])]));
  expect(merged.map(({ line }) => line)).toEqual(['a1', 'c2', 'c3', 'a4', 'a5', 'c6']);
  expect(merged[0]).toEqual({ source: 'a', line: 'a1', time: stamp(1) });
});

test('whatever the logs are, every line comes once, in order', async () => {
  const log = fc.array(fc.nat(59), { maxLength: 20 }).map((seconds) => seconds.toSorted((a, b) => a - b));
  await fc.assert(
    fc.asyncProperty(fc.array(log, { maxLength: 5 }), async (logs) => {
      const sources = () => logs.map((seconds, i) => source(`p${i}-`, seconds));
      const times = (await all(mergeByTime(sources()))).map(({ time }) => time);
      expect(times).toEqual(
        logs
          .flat()
          .map(stamp)
          .toSorted((a, b) => (a < b ? -1 : 1)),
      );
      expect(await all(mergeAsTheyCome(sources()))).toHaveLength(times.length);
    }),
  );
});

test('a log that says nothing holds up none that speaks', async () => {
  const silent: Source = {
    name: 'silent',
    lines: { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) },
  };
  const merged = mergeAsTheyCome([silent, source('a', [1])]);
  expect(await merged.next()).toMatchObject({ value: { line: 'a1' } });
});

test('lines are put together across chunks, also in the middle of a letter', async () => {
  const bytes = Buffer.from('eins\nzwölf\n\nlast');
  const chunks = Array.from(bytes, (byte) => Buffer.from([byte]));
  expect(await all(linesOf(give(chunks)))).toEqual(['eins', 'zwölf', '', 'last']);
});

test('a line without end is cut, not kept whole in memory', async () => {
  const chunks = Array.from({ length: 5 }, () => Buffer.alloc(512 * 1024, 'x'));
  const lengths = (await all(linesOf(give(chunks)))).map((line) => line.length);
  expect(lengths.length).toBeGreaterThan(1);
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(5 * 512 * 1024);
});

test('a line without a time is shown as it is', async () => {
  expect(await all(mergeByTime([{ name: 'a', lines: give(['unable to retrieve container logs']) }]))).toEqual([
    { source: 'a', line: 'unable to retrieve container logs', time: '' },
  ]);
});

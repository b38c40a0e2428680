import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KubeError } from './kube-error.ts';
import { parseWatchLine, splitLines } from './watch-lines.ts';

async function linesOf(chunks: readonly Uint8Array[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of splitLines(chunks.values(), () => undefined)) lines.push(line);
  return lines;
}

test('lines come out whole however the bytes are cut, and half a line at the end is dropped', async () => {
  const text = fc.array(
    fc.string({ unit: 'grapheme', minLength: 1 }).map((line) => line.replaceAll('\n', '')),
    { maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(text, fc.integer({ min: 1, max: 7 }), async (lines, size) => {
      const bytes = Buffer.from(`${lines.map((line) => `${line}\n`).join('')}half`);
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      expect(await linesOf(chunks)).toEqual(lines.filter((line) => line !== ''));
    }),
  );
});

test('a line without end is refused before it fills the memory', async () => {
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  await expect(linesOf(Array.from({ length: 20 }, () => chunk))).rejects.toThrow(SyntaxError);
});

test('an event and a bookmark are read', () => {
  const metadata = { name: 'a', uid: 'u', resourceVersion: '5' };
  expect(parseWatchLine(JSON.stringify({ type: 'ADDED', object: { metadata, data: { a: 'b' } } }))).toEqual({
    type: 'ADDED',
    object: { metadata, data: { a: 'b' } },
  });
  const bookmark = {
    type: 'BOOKMARK',
    object: { kind: 'Pod', metadata: { resourceVersion: '9', creationTimestamp: null } },
  };
  expect(parseWatchLine(JSON.stringify(bookmark))).toMatchObject({ object: { metadata: { resourceVersion: '9' } } });
});

test('an ERROR event is thrown with its code', () => {
  const line = JSON.stringify({ type: 'ERROR', object: { code: 410, reason: 'Expired', message: 'too old' } });
  expect(() => parseWatchLine(line)).toThrow(expect.objectContaining({ status: 410, reason: 'Expired' }));
  expect(() => parseWatchLine(line)).toThrow(KubeError);
});

test.for(['{', '{}', '{"type":"ADDED","object":{}}', '{"type":"OTHER","object":{}}', 'null'])(
  'what is no event is a SyntaxError: %s',
  (line) => {
    expect(() => parseWatchLine(line)).toThrow(SyntaxError);
  },
);

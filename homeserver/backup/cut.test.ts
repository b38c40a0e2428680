import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cut, type Piece } from './cut.ts';

test('pieces are of the wanted size, the last one is marked, and nothing is lost', async () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 12 }), async (given, size) => {
      const pieces: Piece[] = [];
      for await (const piece of cut(Readable.from(given), size)) pieces.push(piece);
      expect(Buffer.concat(pieces.map(({ bytes }) => bytes))).toEqual(Buffer.concat(given));
      expect(pieces.map(({ isLast }) => isLast)).toEqual(pieces.map((_, i) => i === pieces.length - 1));
      expect(pieces.slice(0, -1).every(({ bytes }) => bytes.length === size)).toBe(true);
      expect(pieces.at(-1)?.bytes.length).toBeLessThanOrEqual(size);
    }),
  );
});

import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { seal, unseal } from './sealed-stream.ts';

const KEY = Buffer.alloc(32, 7);
const FRAME = 65_536 + 16;
const TEXT = Buffer.alloc(200_000, 'rows of a table\n');

const sealed = (text: Buffer = TEXT, key = KEY) => buffer(seal(Readable.from([text]), key));
const opened = (bytes: Buffer, key = KEY) => buffer(unseal(Readable.from([bytes]), key, 'the table'));

test.for([0, 1, 65_535, 65_536, 65_537, 200_000])('%i bytes come back as they were', async (length) => {
  const text = TEXT.subarray(0, length);
  const bytes = await sealed(text);
  expect(bytes.length).toBe(length + 16 * Math.max(1, Math.ceil(length / 65_536)));
  expect(await opened(bytes)).toEqual(text);
});

const frames = (bytes: Buffer) => [0, 1, 2, 3].map((i) => bytes.subarray(i * FRAME, (i + 1) * FRAME));

const harms: { what: string; harm: (bytes: Buffer) => Buffer }[] = [
  {
    what: 'with one bit changed',
    harm: (bytes) => Buffer.from(bytes.map((byte, i) => (i === 70_000 ? byte ^ 1 : byte))),
  },
  { what: 'cut off between two frames', harm: (bytes) => bytes.subarray(0, 2 * FRAME) },
  { what: 'cut off within a frame', harm: (bytes) => bytes.subarray(0, 2 * FRAME + 1000) },
  { what: 'cut off to nothing', harm: () => Buffer.alloc(0) },
  {
    what: 'with two frames in another order',
    harm: (bytes) => {
      const [a, b, c, d] = frames(bytes);
      return Buffer.concat([b, a, c, d].filter((frame) => frame !== undefined));
    },
  },
  {
    what: 'without its first frame',
    harm: (bytes) => bytes.subarray(FRAME),
  },
  { what: 'with something behind its end', harm: (bytes) => Buffer.concat([bytes, bytes.subarray(-40)]) },
];

test.for(harms)('a stream $what is refused', async ({ harm }) => {
  await expect(opened(harm(await sealed()))).rejects.toThrow('the table was not written with this encryption key');
});

test('another key opens nothing', async () => {
  await expect(opened(await sealed(), Buffer.alloc(32, 8))).rejects.toThrow('encryption key');
});

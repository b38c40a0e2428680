import { describe, expect, it } from 'vitest';
import { AnswerReader, type Answer } from './answer-reader.ts';

const PLAIN = 'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n';

/** Feeds the text in pieces of that size, each in the same memory as the one before. */
function feedInPieces(reader: AnswerReader, text: string, size: number): (Answer | undefined)[] {
  const buffer = Buffer.alloc(size);
  return Array.from({ length: Math.ceil(text.length / size) }, (_, n) => {
    const length = buffer.write(text.slice(n * size, (n + 1) * size));
    return reader.feed(buffer.subarray(0, length));
  });
}

describe('an answer in pieces', () => {
  for (const [name, text] of Object.entries({ PLAIN, CHUNKED })) {
    it(`is complete with its last piece, wherever it is cut: ${name}`, () => {
      for (let size = 1; size <= text.length; size += 1) {
        const reader = new AnswerReader();
        for (const round of [1, 2]) {
          const answers = feedInPieces(reader, text, size);
          const last = answers.pop();
          expect({ size, round, early: answers.filter((answer) => answer !== undefined) }).toMatchObject({ early: [] });
          expect({ size, status: last?.status, body: last?.body.toString() }).toEqual({
            size,
            status: 200,
            body: 'hello world',
          });
        }
      }
    });
  }

  it('is counted where the body is not wanted', () => {
    const reader = new AnswerReader();
    reader.expect('counted');
    expect(reader.feed(Buffer.from(CHUNKED))).toMatchObject({ length: 11, body: Buffer.alloc(0) });
  });

  it('may be empty, fail, and end its connection', () => {
    const empty = 'HTTP/1.1 503 No\r\ncontent-length: 0\r\nConnection: close\r\n\r\n';
    expect(new AnswerReader().feed(Buffer.from(empty))).toMatchObject({ status: 503, length: 0, closes: true });
  });

  it.each([
    ['HTTP/1.1 200 OK\r\n\r\n', 'without a length'],
    ['HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab', 'more than it said'],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n', 'without a size'],
    ['x'.repeat(70_000), 'without an end'],
  ])('is refused where nobody knows its end: %#', (text, because) => {
    expect(() => new AnswerReader().feed(Buffer.from(text))).toThrow(because);
  });
});

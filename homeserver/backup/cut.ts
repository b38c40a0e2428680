/** A piece of a stream; only the last one of a stream may be shorter than asked, down to nothing. */
export interface Piece {
  readonly bytes: Buffer;
  readonly isLast: boolean;
}

/** Cuts a stream into pieces of `size` bytes. Holds at most two pieces in memory. */
export async function* cut(source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Piece> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of source) {
    parts.push(chunk);
    length += chunk.length;
    if (length <= size) continue;
    // More than a piece: what is given out now cannot be the last.
    const joined = Buffer.concat(parts, length);
    let at = 0;
    for (; length - at > size; at += size) yield { bytes: joined.subarray(at, at + size), isLast: false };
    parts = [joined.subarray(at)];
    length -= at;
  }
  yield { bytes: Buffer.concat(parts, length), isLast: true };
}

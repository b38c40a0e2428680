/** An answer of HTTP/1.1. */
export interface Answer {
  readonly status: number;
  /** Bytes of the body. */
  readonly length: number;
  /** The body; empty where it was not kept. */
  readonly body: Buffer;
  /** The server takes no more requests on this connection. */
  readonly closes: boolean;
}

interface Head {
  readonly status: number;
  /** Undefined: in chunks. */
  readonly length: number | undefined;
  readonly closes: boolean;
}

const EMPTY = Buffer.alloc(0);
const END_OF_HEAD = '\r\n\r\n';
const END_OF_LINE = '\r\n';
const MAX_HEAD = 65_536;

/** Puts answers together from the pieces that a socket gives; a piece may be overwritten as soon as `feed` has returned. */
export class AnswerReader {
  #head: Head | undefined;
  /** What has come of a head, or of the line before a chunk. */
  #unread = EMPTY;
  #body: Buffer[] = [];
  #length = 0;
  /** Bytes to come of the present chunk with its end of line. */
  #chunk = 0;
  #keeps = true;

  /** Whether the body of the next answer is wanted; it is counted in any case. */
  expect(body: 'kept' | 'counted'): void {
    this.#keeps = body === 'kept';
  }

  /** The answer, when it is complete. One that ends with its connection is refused: nothing would tell a whole one. */
  feed(piece: Buffer): Answer | undefined {
    let rest = piece;
    if (this.#head === undefined) {
      const all = this.#withUnread(piece);
      const end = all.indexOf(END_OF_HEAD);
      if (end < 0) {
        this.#readLater(all);
        return undefined;
      }
      this.#head = readHead(all.toString('latin1', 0, end));
      rest = all.subarray(end + END_OF_HEAD.length);
    }
    const whole = this.#head.length === undefined ? this.#takeChunks(rest) : this.#takeBody(rest, this.#head.length);
    return whole ? this.#finish(this.#head) : undefined;
  }

  #withUnread(piece: Buffer): Buffer {
    if (this.#unread.length === 0) return piece;
    const all = Buffer.concat([this.#unread, piece]);
    this.#unread = EMPTY;
    return all;
  }

  #readLater(bytes: Buffer): void {
    if (bytes.length > MAX_HEAD) throw new Error('the server sent a head without an end');
    this.#unread = Buffer.from(bytes);
  }

  #takeBody(bytes: Buffer, length: number): boolean {
    this.#take(bytes);
    if (this.#length > length) throw new Error('the server sent more than it said');
    return this.#length === length;
  }

  /** Each chunk has a line with its size before it and an end of line after it; the last is empty. */
  #takeChunks(bytes: Buffer): boolean {
    let rest = this.#withUnread(bytes);
    while (rest.length > 0) {
      if (this.#chunk === 0) {
        const line = rest.indexOf(END_OF_LINE) + END_OF_LINE.length;
        const size = Number.parseInt(rest.toString('latin1', 0, line), 16);
        // After the last one comes an empty line: nobody sends trailers here.
        if (line < END_OF_LINE.length || (size === 0 && rest.length < line + END_OF_LINE.length)) break;
        if (size === 0) return true;
        if (!(size > 0)) throw new Error('the server sent a chunk without a size');
        this.#chunk = size + END_OF_LINE.length;
        rest = rest.subarray(line);
      }
      rest = this.#takeOfChunk(rest);
    }
    this.#readLater(rest);
    return false;
  }

  /** Takes what belongs to the present chunk and gives what comes after it. */
  #takeOfChunk(bytes: Buffer): Buffer {
    const text = Math.max(0, this.#chunk - END_OF_LINE.length);
    const taken = Math.min(bytes.length, this.#chunk);
    this.#take(bytes.subarray(0, Math.min(text, taken)));
    this.#chunk -= taken;
    return bytes.subarray(taken);
  }

  #take(bytes: Buffer): void {
    this.#length += bytes.length;
    if (this.#keeps && bytes.length > 0) this.#body.push(Buffer.from(bytes));
  }

  #finish(head: Head): Answer {
    const [first = EMPTY] = this.#body;
    const body = this.#body.length > 1 ? Buffer.concat(this.#body) : first;
    const answer = { status: head.status, length: this.#length, body, closes: head.closes };
    this.#head = undefined;
    this.#body = [];
    this.#length = 0;
    return answer;
  }
}

function readHead(text: string): Head {
  const status = Number(text.slice(9, 12));
  const closes = /\r\nconnection: *close/i.test(text);
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
  if (length !== undefined) return { status, length: Number(length), closes };
  if (/\r\ntransfer-encoding: *chunked/i.test(text)) return { status, length: undefined, closes };
  throw new Error('the server sent an answer without a length');
}

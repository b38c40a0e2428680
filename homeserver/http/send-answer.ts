import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { piecesOf, type JsonPiece, type JsonText } from '../sync/json-text.ts';
import type { LargeRead } from '../sync/large-reads.ts';
import { sendJson } from './answer-error.ts';

/** What is smaller is away with the first write, or nearly so. */
const LARGE_BYTES = 256_000;

export interface SlowLimits {
  /** How long nothing of an answer may be taken, ms. */
  readonly stalledMs: number;
  /** How slowly it may be taken as a whole, bytes a second. */
  readonly slowest: number;
}

/** Somebody on a bad mobile line has 3 MB in two and a half minutes. */
const SLOW_LIMITS: SlowLimits = { stalledMs: 20_000, slowest: 20_000 };

/** Sends JSON text. A large one counts until it is away, and a reader who does not take it is let go. */
export function sendText(reply: FastifyReply, text: JsonText, large: () => LargeRead): FastifyReply {
  if ((typeof text === 'string' || Buffer.isBuffer(text)) && text.length < LARGE_BYTES) return sendJson(reply, text);
  const pieces = piecesOf(text);
  const shared = pieces.filter((piece) => typeof piece !== 'string');
  const bytes = shared.length === 0 ? [bytesOf(pieces)] : pieces.map((piece) => bytesOf([piece]));
  const total = sumOf(bytes);
  if (total >= LARGE_BYTES || shared.length > 0) {
    large().made(total - sumOf(shared), shared);
    letGoOfSlow(reply.raw, total);
  }
  const [first] = bytes;
  if (bytes.length === 1 && first !== undefined) return sendJson(reply, first);
  return sendJson(reply.header('content-length', total), Readable.from(bytes, { objectMode: false }));
}

/** Written piece by piece: to make one string of them first costs more than twice as much. */
function bytesOf(pieces: readonly JsonPiece[]): Buffer {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) return typeof first === 'string' ? Buffer.from(first) : first;
  const bytes = Buffer.allocUnsafe(pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0));
  let at = 0;
  for (const piece of pieces) at += typeof piece === 'string' ? bytes.write(piece, at) : piece.copy(bytes, at);
  return bytes;
}

function sumOf(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, buffer) => sum + buffer.length, 0);
}

/** Ends the connection of a reader who takes nothing for long, or all of it too slowly: until then the answer is held for them. */
export function letGoOfSlow(
  response: ServerResponse,
  bytes: number,
  { stalledMs, slowest }: SlowLimits = SLOW_LIMITS,
): void {
  const end = (): void => {
    response.destroy();
  };
  response.setTimeout(stalledMs, end);
  const timer = setTimeout(end, stalledMs + (bytes / slowest) * 1000);
  response.once('close', () => clearTimeout(timer));
}

import { exchange } from '../runtime/http-exchange.ts';

const TIMEOUT_MS = 5000;
/** The largest that is asked for, the keys of a server with 64 old ones, has 10 KiB. */
const MAX_BYTES = 65_536;

/** The text that a replica answers with status 200. Errors: what came instead, without the URL. */
export async function readAnswer(url: string): Promise<string> {
  const answer = await exchange({ url, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (answer.statusCode !== 200) {
    answer.destroy();
    throw new Error(`status ${answer.statusCode ?? 0}`);
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    // Leaving the loop destroys the connection.
    if (bytes > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

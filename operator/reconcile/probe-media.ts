import { PROBES } from '../../homeserver/contract/layout.ts';
import { ReadyAnswer } from '../../homeserver/contract/readiness.ts';
import type { MediaReport } from '../conditions/observed.ts';
import { exchange } from '../runtime/http-exchange.ts';

const TIMEOUT_MS = 5000;
const MAX_BYTES = 16_384;

/** What a replica says of the bucket for files, asked at the URL of its Service. Never rejects. */
export async function mediaState(url: string): Promise<MediaReport> {
  try {
    const { media } = ReadyAnswer.parse(await readAnswer(`${url}${PROBES.ready}`));
    if (media === undefined) return { state: 'unknown', because: 'this version does not say whether its bucket works' };
    const { problem } = media;
    return problem === undefined ? { state: 'usable' } : { state: 'unusable', problem: asFieldOfSpec(problem) };
  } catch {
    return { state: 'unknown', because: 'no replica has said whether its bucket works' };
  }
}

/** The configuration has a folder where the spec names the Secret that is mounted there. */
function asFieldOfSpec(problem: string): string {
  return `spec.${problem.replace(/^media\.s3\.credentialsDirectory:/, 'media.s3.credentialsSecretRef:')}`;
}

async function readAnswer(url: string): Promise<unknown> {
  const answer = await exchange({ url, signal: AbortSignal.timeout(TIMEOUT_MS) });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    // Leaving the loop destroys the connection.
    if (bytes > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  const json: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  return json;
}

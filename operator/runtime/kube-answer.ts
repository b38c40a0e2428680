import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import { KubeError } from './kube-error.ts';

/** 500 of our largest resources are about 75 MB. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

const ApiStatus = z.looseObject({
  message: z.string().default(''),
  reason: z.string().default(''),
  details: z.looseObject({ retryAfterSeconds: z.number().optional() }).optional(),
});

/** The body of an answer as JSON; a longer one than 256 MiB is refused. */
export async function readJson(body: AsyncIterable<unknown>): Promise<unknown> {
  const { text, complete } = await readText(body, MAX_ANSWER_BYTES);
  if (!complete) throw new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
  return JSON.parse(text);
}

/** The KubeError that a refusal stands for. `what` begins its message. */
export async function readRefusal(what: string, response: IncomingMessage): Promise<KubeError> {
  const { text } = await readText(response, MAX_ERROR_BYTES);
  const { message, reason, details } = parseStatus(text);
  const seconds = headerSeconds(response.headers['retry-after']) ?? details?.retryAfterSeconds;
  return new KubeError(
    response.statusCode ?? 0,
    reason === '' ? 'Unknown' : reason,
    `${what}: ${response.statusCode ?? 0} ${message}`,
    seconds === undefined ? {} : { retryAfterMs: seconds * 1000 },
  );
}

async function readText(body: AsyncIterable<unknown>, maxBytes: number): Promise<{ text: string; complete: boolean }> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    if (!(chunk instanceof Uint8Array)) continue;
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBytes) break;
  }
  return { text: Buffer.concat(chunks).toString('utf8'), complete: size <= maxBytes };
}

/** A proxy in between may answer with text or HTML. */
function parseStatus(text: string): z.infer<typeof ApiStatus> {
  try {
    return ApiStatus.parse(JSON.parse(text));
  } catch {
    return { message: text.slice(0, 500), reason: '' };
  }
}

function headerSeconds(header: string | string[] | undefined): number | undefined {
  const value = Array.isArray(header) ? header[0] : header;
  const seconds = value === undefined ? Number.NaN : Number(value);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

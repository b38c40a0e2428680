import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { ObjectStoreError } from './object-store.ts';

export interface HttpWanted {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  /** Longest body that is read of an answer with status 200. */
  readonly maxBytes: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/** Requests over connections that are kept. */
export interface HttpExchange {
  /** Rejects with what Node says of the connection, with ETIMEDOUT, or with ObjectStoreError for an answer that is too long. */
  send(wanted: HttpWanted): Promise<HttpAnswer>;
  close(): void;
}

const MAX_ERROR_BYTES = 65_536;
/** A server that says nothing for so long is given up. */
const SILENCE_MS = 60_000;
/** An object of 8 MiB over a slow line takes its time. */
export const WHOLE_MS = 300_000;

/** `wholeMs`: longest time of one request with its answer. */
export function createHttpExchange(wholeMs = WHOLE_MS): HttpExchange {
  const limits = { keepAlive: true, maxSockets: 16, maxFreeSockets: 4, timeout: SILENCE_MS };
  const [http, https] = [new HttpAgent(limits), new HttpsAgent(limits)];
  return {
    send: (wanted) => send(wanted, wanted.url.protocol === 'https:' ? https : http, wholeMs),
    close: () => {
      http.destroy();
      https.destroy();
    },
  };
}

async function send(wanted: HttpWanted, agent: HttpAgent | HttpsAgent, wholeMs: number): Promise<HttpAnswer> {
  const signal = AbortSignal.timeout(wholeMs);
  try {
    const answer = await headOf(wanted, agent, signal);
    const status = answer.statusCode ?? 0;
    return { status, body: await readBody(answer, status === 200 ? wanted.maxBytes : MAX_ERROR_BYTES) };
  } catch (error) {
    throw signal.aborted ? noAnswer() : error;
  }
}

function noAnswer(): Error {
  return Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' });
}

function headOf(
  { method, url, headers, body }: HttpWanted,
  agent: HttpAgent | HttpsAgent,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const options = { method, headers: { ...headers, 'content-length': body?.length ?? 0 }, agent };
  const begin = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = begin(url, { ...options, signal }, resolve);
  request.on('timeout', () => request.destroy(noAnswer()));
  request.on('error', reject);
  request.end(body);
  return promise;
}

async function readBody(answer: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer.iterator({ destroyOnReturn: true })) {
    if (!Buffer.isBuffer(chunk)) continue;
    length += chunk.length;
    if (length > maxBytes) throw new ObjectStoreError(`an answer has more than ${maxBytes} bytes`, { passing: false });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { AwsV4Signer } from 'aws4fetch';
import type { CredentialSource } from './credentials.ts';
import { createHttpExchange, type HttpAnswer, type HttpExchange, type HttpWanted, WHOLE_MS } from './http-exchange.ts';
import { ObjectStoreError, UNREACHABLE } from './object-store.ts';

export interface S3Request {
  readonly method: 'GET' | 'PUT' | 'DELETE' | 'HEAD';
  readonly url: URL;
  readonly body?: Uint8Array;
  /** Longest body that is read of a good answer. */
  readonly maxBytes: number;
}

/** Sends one signed request, several times if need be. Throws ObjectStoreError; answers 200, 204 and 404 are given back. */
export type SendS3 = (wanted: S3Request) => Promise<HttpAnswer>;

export interface S3Sender {
  readonly send: SendS3;
  /** An unsigned form, as STS takes it, accepted as JSON. */
  readonly postForm: (url: string, form: string) => Promise<string>;
  close(): void;
}

/** For how long a store that does not answer is tried. */
export interface Patience {
  readonly tries: number;
  /** Longest time of one request with its answer, ms. */
  readonly requestMs: number;
}

export const PATIENT: Patience = { tries: 6, requestMs: WHOLE_MS };

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;

/** Makes requests over one pool of connections. `region` goes into the signature. */
export function createS3Sender(
  region: string,
  credentials: () => CredentialSource,
  { tries, requestMs }: Patience,
): S3Sender {
  const http = createHttpExchange(requestMs);
  return {
    send: (wanted) =>
      withRetries(wanted.url, tries, async () => {
        const headers = await sign(wanted, region, await credentials()());
        return exchange(http, { body: undefined, ...wanted, headers });
      }),
    postForm: async (url, form) => {
      const target = new URL(url);
      const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
      const wanted = { method: 'POST', url: target, headers, body: Buffer.from(form), maxBytes: 65_536 };
      return (await withRetries(target, tries, () => exchange(http, wanted))).body.toString('utf8');
    },
    close: () => {
      http.close();
    },
  };
}

/** The digest of the body is signed, so the server refuses one that was changed on the way. */
async function sign(
  { method, url, body }: S3Request,
  region: string,
  { accessKeyId, secretAccessKey, sessionToken }: Awaited<ReturnType<CredentialSource>>,
): Promise<Record<string, string>> {
  const digest = createHash('sha256')
    .update(body ?? '')
    .digest('hex');
  const signer = new AwsV4Signer({
    method,
    url: url.href,
    headers: { 'x-amz-content-sha256': digest },
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
    service: 's3',
    region,
  });
  return Object.fromEntries((await signer.sign()).headers);
}

async function exchange(http: HttpExchange, wanted: HttpWanted): Promise<HttpAnswer> {
  const answer = await http.send(wanted);
  if (answer.status === 200 || answer.status === 204 || answer.status === 404) return answer;
  throw refusal(wanted.url, answer.status, answer.body);
}

/** What may go well later without another configuration: clocks are set right, tokens made anew. */
const PASSING_CODES = ['RequestTimeout', 'SlowDown', 'RequestTimeTooSkewed', 'ExpiredToken'];

/** The server's own code says what is wrong; the rest of an answer may hold what nobody should see. */
function refusal(url: URL, status: number, body: Buffer): ObjectStoreError {
  const code = /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(body.toString('utf8'))?.[1];
  const passing = status >= 500 || status === 429 || status === 408 || (code ? PASSING_CODES.includes(code) : false);
  return new ObjectStoreError(`${url.origin} answered ${status}${code === undefined ? '' : ` ${code}`}`, {
    passing,
    code,
  });
}

/** A failed write may have been done: repeating it does the same once more. */
async function withRetries<T>(url: URL, tries: number, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (cause) {
      const error = cause instanceof ObjectStoreError ? cause : unreachable(url, cause);
      if (!error.passing || attempt >= tries) throw error;
    }
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS);
    await pause(longest * (0.5 + Math.random() / 2));
  }
}

function unreachable(url: URL, cause: unknown): ObjectStoreError {
  const why = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
  return new ObjectStoreError(`${url.origin} cannot be reached${why}`, { passing: true, code: UNREACHABLE, cause });
}

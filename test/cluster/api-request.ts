import { request } from 'node:https';
import type { ClientCredential } from './local/certificates.ts';

export interface ApiAccess {
  /** `https://host:port` */
  server: string;
  credential: ClientCredential;
}

export interface ApiAnswer {
  status: number;
  body: string;
}

const MAX_BODY = 8 * 1024 * 1024;
const TIMEOUT_MS = 5_000;

/** One request to a Kubernetes API server with a client certificate, `json` in its body; gives any answer, throws if there is none in 5 s. */
export function apiRequest(
  access: ApiAccess,
  method: string,
  path: string,
  json?: unknown,
  contentType = 'application/json',
): Promise<ApiAnswer> {
  const { ca, cert, key } = access.credential;
  const headers = json === undefined ? {} : { 'content-type': contentType };
  const options = { method, headers, ca, cert, key, agent: false, signal: AbortSignal.timeout(TIMEOUT_MS) };
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, access.server), options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BODY) response.destroy(new Error(`${path}: the answer is over ${MAX_BODY} bytes`));
        else chunks.push(chunk);
      });
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    sent.once('error', reject);
    sent.end(json === undefined ? undefined : JSON.stringify(json));
  });
}

/** Creates an object; one that exists already is left as it is. */
export async function createObject(access: ApiAccess, path: string, object: unknown): Promise<void> {
  const { status, body } = await apiRequest(access, 'POST', path, object);
  if (status !== 201 && status !== 409) throw new Error(`POST ${path}: ${status} ${body.slice(0, 500)}`);
}

/** Whether the API server says of itself that it is ready. */
export async function isApiReady(access: ApiAccess): Promise<boolean> {
  return (await apiRequest(access, 'GET', '/readyz')).status === 200;
}

import * as z from 'zod';
import { clientUrl } from '../resources/client-service.ts';
import type { Owner } from '../resources/manifest.ts';
import { exchange } from '../runtime/http-exchange.ts';

const TIMEOUT_MS = 5000;
const MAX_BYTES = 65_536;

const ClientVersions = z.looseObject({ versions: z.array(z.string()).min(1) });
const ServerVersion = z.looseObject({ server: z.looseObject({ version: z.string() }) });

/** Asks through the Service what clients and other servers ask first; undefined when it is the version that answers. */
export async function probeVersion(owner: Owner, version: string): Promise<string | undefined> {
  const base = clientUrl(owner);
  try {
    ClientVersions.parse(await get(`${base}/_matrix/client/versions`));
    const { server } = ServerVersion.parse(await get(`${base}/_matrix/federation/v1/version`));
    return server.version === version ? undefined : `${base} is served by version ${server.version}`;
  } catch (error) {
    return `${base} does not answer as it should: ${error instanceof Error ? error.message : 'unknown error'}`;
  }
}

async function get(url: string): Promise<unknown> {
  const answer = await exchange({ url, signal: AbortSignal.timeout(TIMEOUT_MS) });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error(`${url} answered more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode ?? 0}`);
  const json: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  return json;
}

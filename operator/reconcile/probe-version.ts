import * as z from 'zod';
import { clientUrl } from '../resources/client-service.ts';
import type { Owner } from '../resources/manifest.ts';
import { readAnswer } from './read-answer.ts';

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
  const text = await readAnswer(url).catch((error: unknown) => {
    throw new Error(`${url}: ${error instanceof Error ? error.message : 'unknown error'}`, { cause: error });
  });
  const json: unknown = JSON.parse(text);
  return json;
}

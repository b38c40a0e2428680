import { PROBES } from '../../homeserver/contract/layout.ts';
import { clientUrl } from '../resources/client-service.ts';
import type { Owner } from '../resources/manifest.ts';
import { exchange } from '../runtime/http-exchange.ts';

const TIMEOUT_MS = 5000;

/** Asks the Service whether a replica is ready; undefined when it is, else what happened instead. */
export async function probeService(owner: Owner): Promise<string | undefined> {
  const url = `${clientUrl(owner)}${PROBES.ready}`;
  try {
    const answer = await exchange({ url, signal: AbortSignal.timeout(TIMEOUT_MS) });
    answer.destroy();
    return answer.statusCode === 200 ? undefined : `${url} answered ${answer.statusCode ?? 0}`;
  } catch (error) {
    return `${url} did not answer: ${error instanceof Error ? error.message : 'unknown error'}`;
  }
}

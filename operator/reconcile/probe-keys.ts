import { parseObject, readKeyAnswer } from '../federation-check/key-answer.ts';
import { clientUrl } from '../resources/client-service.ts';
import type { Owner } from '../resources/manifest.ts';
import { readAnswer } from './read-answer.ts';

/** The key that other servers must find. */
export interface WantedAnswer {
  readonly serverName: string;
  readonly keyId: string;
  readonly publicKey: string;
  /** Unix ms. */
  readonly now: number;
}

/**
 * Asks the Service for the published keys, as another server would: undefined when the answer is signed by itself, still
 * valid and lists the active key, else what is wrong.
 */
export async function probeKeys(owner: Owner, wanted: WantedAnswer): Promise<string | undefined> {
  const url = `${clientUrl(owner)}/_matrix/key/v2/server`;
  try {
    return checkAnswer(url, await readAnswer(url), wanted);
  } catch (error) {
    return `${url} did not answer: ${error instanceof Error ? error.message : 'unknown error'}`;
  }
}

/** What is wrong with the text of a key answer; undefined when nothing is. */
export function checkAnswer(url: string, text: string, wanted: WantedAnswer): string | undefined {
  const answer = readKeyAnswer(parseObject(text), wanted);
  if (!answer.ok) return `${url} gives an answer that no server would accept (${answer.kind})`;
  const { keyId, publicKey } = wanted;
  const isListed = answer.keys.some((key) => key.keyId === keyId && key.publicKey === publicKey);
  return isListed ? undefined : `${url} does not list the active key ${keyId} yet`;
}

import { KeyringFile } from '../../homeserver/contract/keyring-file.ts';
import { OperatorError } from '../errors.ts';
import { decodeKeyBytes, signingKeyOf } from './generate.ts';
import type { SigningKey } from './generate.ts';
import { contentText } from './keyring-content.ts';
import type { KeyringContent } from './keyring-content.ts';

/** What a `keyring.json` was found to say. */
export interface FoundKeyring {
  readonly generation: number;
  readonly content: string;
  /** Keys whose private half is there and fits the public one. */
  readonly keys: readonly SigningKey[];
  /** Public key -> what it is in there. */
  readonly states: ReadonlyMap<string, 'Published' | 'Active' | 'Retiring'>;
  /** Whether every private half that is there fits. */
  readonly sound: boolean;
}

const STATES = { published: 'Published', active: 'Active', retiring: 'Retiring' } as const;

/**
 * Text of `keyring.json`. A retiring key signs nothing more, so it may lack its private half. Errors: KeyLost when that of
 * another key is not among `privateKeys`.
 */
export function buildKeyring(content: KeyringContent, generation: number, privateKeys: readonly SigningKey[]): string {
  const keys = content.keys.map(({ keyId, publicKey, state }) => {
    const own = privateKeys.find((key) => key.publicKey === publicKey);
    if (own !== undefined) return { keyId, publicKey, seed: own.seed, state };
    if (state === 'retiring') return { keyId, publicKey, state };
    throw new OperatorError('KeyLost', `the private half of signing key ${keyId} is missing`);
  });
  const { serverName, validitySeconds, oldKeys } = content;
  const file = KeyringFile.parse({ format: 1, generation, serverName, validitySeconds, keys, oldKeys });
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** Reads a keyring that somebody may have edited; undefined when it is absent or not one. */
export function readKeyring(text: string | undefined): FoundKeyring | undefined {
  const parsed = KeyringFile.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const { generation, keys, ...rest } = parsed.data;
  const halves = keys.flatMap(({ keyId, publicKey, seed }) => (seed === undefined ? [] : [{ keyId, publicKey, seed }]));
  const usable = halves.flatMap(({ keyId, publicKey, seed }) => {
    const bytes = decodeKeyBytes(seed);
    const key = bytes === undefined ? undefined : signingKeyOf(bytes, keyId);
    return key?.publicKey === publicKey ? [key] : [];
  });
  const states = new Map(keys.map(({ publicKey, state }) => [publicKey, STATES[state]]));
  const content = contentText({ ...rest, keys });
  return { generation, content, keys: usable, states, sound: usable.length === halves.length };
}

function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

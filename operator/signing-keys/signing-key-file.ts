import { decodeKeyBytes, isWeakSeed, signingKeyOf } from './generate.ts';
import type { SigningKey } from './generate.ts';
import type { UnreadableKey } from './key-facts.ts';

/** Version in the id: what the specification allows after `ed25519:`. */
const LINE = /^ed25519[ \t]+([A-Za-z0-9_]{1,64})[ \t]+(\S+)$/;
const MAX_BYTES = 4096;

/**
 * Reads a signing key file as Synapse, Dendrite's export and others write it: `ed25519 a_AbCd <seed>`, the seed as
 * unpadded base64. The key keeps its id, here `ed25519:a_AbCd`. Blank lines and lines from `#` on do not count.
 */
export function readSigningKeyFile(text: string): SigningKey | UnreadableKey {
  if (text.length > MAX_BYTES) return unreadable('it is larger than a signing key file');
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const [line, ...more] = lines.filter((one) => one !== '' && !one.startsWith('#'));
  if (line === undefined) return unreadable('it is empty; "ed25519 <version> <seed>" is needed');
  if (more.length > 0) return unreadable('it holds more than one line; give each key a Secret of its own');
  const [, version, base64 = ''] = LINE.exec(line) ?? [];
  if (version === undefined) return unreadable('it is not "ed25519 <1 to 64 of A-Z a-z 0-9 _> <seed>"');
  const seed = decodeKeyBytes(base64);
  if (seed === undefined) return unreadable('its seed is not base64 of 32 bytes');
  if (isWeakSeed(seed)) return unreadable('its seed is not random');
  return signingKeyOf(seed, `ed25519:${version}`);
}

function unreadable(why: string): UnreadableKey {
  return { unreadable: why, reason: 'WeakKey' };
}

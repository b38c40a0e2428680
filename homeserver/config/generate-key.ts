import { createHash, generateKeyPairSync } from 'node:crypto';
import type { KeyringFile, KeyringKey } from '../contract/keyring-file.ts';

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** `ed25519:` and ten characters of the public key's hash, so that one id never comes to name two keys. */
export function keyIdFor(publicKeyBase64: string): string {
  const bytes = createHash('sha256').update(Buffer.from(publicKeyBase64, 'base64')).digest();
  // Ten characters of five bits are the first fifty bits.
  const bits = [...bytes.subarray(0, 7)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const characters = Array.from({ length: 10 }, (_, i) =>
    BASE32.charAt(Number.parseInt(bits.slice(i * 5, i * 5 + 5), 2)),
  );
  return `ed25519:${characters.join('')}`;
}

/** A new active key from the platform's secure generator. */
export function generateKey(): KeyringKey {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  if (jwk.d === undefined || jwk.x === undefined) throw new Error('the platform made no ed25519 key');
  const [seed, publicKey] = [unpadded(jwk.d), unpadded(jwk.x)];
  return { keyId: keyIdFor(publicKey), publicKey, seed, state: 'active' };
}

/** A keyring of one new key. */
export function generateKeyring(serverName: string, validitySeconds: number): KeyringFile {
  return { format: 1, generation: 1, serverName, validitySeconds, keys: [generateKey()], oldKeys: [] };
}

function unpadded(base64url: string): string {
  return Buffer.from(base64url, 'base64url').toString('base64').replace(/=+$/, '');
}

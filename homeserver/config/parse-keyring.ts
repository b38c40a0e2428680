import { createPrivateKey, createPublicKey } from 'node:crypto';
import { KeyringFile } from '../contract/keyring-file.ts';
import type { KeyringKey } from '../contract/keyring-file.ts';
import type { OldVerifyKey, VerifyKey } from '../pipeline/keyring.ts';
import { parseServerName } from '../room/identifiers.ts';
import type { ServerName } from '../room/identifiers.ts';
import type { SigningKey } from '../room/event-signature.ts';

/** A keyring that cannot be used; the message never holds any part of a key. */
export class KeyringError extends Error {
  constructor(file: string, problem: string) {
    super(`${file} cannot be used: ${problem}`);
    this.name = 'KeyringError';
  }
}

/** A checked keyring file with its keys ready to sign. */
export interface KeySet {
  serverName: ServerName;
  generation: number;
  validitySeconds: number;
  active: SigningKey;
  /** Every current key whose private half is here, the active one first: they sign the published answer. */
  signing: readonly SigningKey[];
  verify: readonly VerifyKey[];
  old: readonly OldVerifyKey[];
}

/** DER of a PKCS#8 ed25519 private key up to the 32 bytes of the seed (RFC 8410). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Checks everything: shape, server name, that each private half fits its public one. Throws KeyringError. */
export function parseKeyring(text: string, file: string, serverName: string): KeySet {
  const parsed = KeyringFile.safeParse(parseJson(text, file));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new KeyringError(file, `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'not a keyring'}`);
  }
  const content = parsed.data;
  if (content.serverName !== serverName) {
    throw new KeyringError(file, `it belongs to ${content.serverName}, the configuration says ${serverName}`);
  }
  refuseDoubleIds(content, file);
  const actives = content.keys.filter((key) => key.state === 'active');
  const [active] = actives;
  if (active === undefined || actives.length > 1) {
    throw new KeyringError(file, `exactly one key must be active, ${actives.length} are`);
  }
  const current = [active, ...content.keys.filter((key) => key !== active)];
  const signing = current.flatMap((key) => (key.seed === undefined ? [] : [signingKey(key, key.seed, file)]));
  const verify = current.map(({ keyId, publicKey }) => ({ keyId: brandKeyId(keyId), publicKeyBase64: publicKey }));
  return keySet(content, { signing, verify }, file);
}

type Current = Pick<KeySet, 'signing' | 'verify'>;

function keySet(content: KeyringFile, { signing, verify }: Current, file: string): KeySet {
  const [active] = signing;
  const serverName = parseServerName(content.serverName);
  if (active === undefined || serverName === undefined) throw new KeyringError(file, 'it has no key or server name');
  return {
    serverName,
    generation: content.generation,
    validitySeconds: content.validitySeconds,
    active,
    signing,
    verify,
    old: content.oldKeys.map((key) => ({
      keyId: brandKeyId(key.keyId),
      publicKeyBase64: key.publicKey,
      expiredTs: key.expiredTs,
    })),
  };
}

function signingKey(key: KeyringKey, base64Seed: string, file: string): SigningKey {
  const seed = Buffer.from(base64Seed, 'base64');
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' });
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  const derived = Buffer.from(x ?? '', 'base64url');
  if (!derived.equals(Buffer.from(key.publicKey, 'base64'))) {
    throw new KeyringError(file, `the private half of ${key.keyId} does not fit its public half`);
  }
  return { keyId: brandKeyId(key.keyId), privateKey, publicKeyBase64: key.publicKey };
}

function refuseDoubleIds(content: KeyringFile, file: string): void {
  const ids = [...content.keys, ...content.oldKeys].map((key) => key.keyId);
  const double = ids.find((id, i) => ids.indexOf(id) !== i);
  if (double !== undefined) throw new KeyringError(file, `${double} stands in it twice`);
}

function brandKeyId(keyId: string): `ed25519:${string}` {
  return `ed25519:${keyId.slice('ed25519:'.length)}`;
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new KeyringError(file, 'it is not JSON');
  }
}

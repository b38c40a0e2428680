import { createPublicKey, verify } from 'node:crypto';
import * as z from 'zod';
import { CanonicalJsonError, canonicalJson } from '../../homeserver/room/canonical-json.ts';
import type { JsonObject } from '../../homeserver/room/json-value.ts';
import { isJsonObject, ownObject, ownString } from '../../homeserver/room/json-value.ts';
import { parseStrictJson } from '../../homeserver/room/strict-json.ts';
import { type FederationFailure, MAX_KEYS_SEEN } from '../api/federation-status.ts';

/** A key under which a server name answers. */
export interface SeenKey {
  readonly keyId: string;
  /** Unpadded base64 of 32 bytes. */
  readonly publicKey: string;
}

export type KeyAnswer =
  | { readonly ok: true; readonly keys: readonly SeenKey[]; readonly validUntil: number }
  | { readonly ok: false; readonly kind: FederationFailure };

interface Expected {
  readonly serverName: string;
  /** Unix ms. */
  readonly now: number;
}

const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const KEY_ID = /^ed25519:[A-Za-z0-9_]{1,64}$/;

const Shape = z.object({
  server_name: z.string().max(255),
  valid_until_ts: z.int().positive(),
  verify_keys: z
    .record(z.string(), z.object({ key: z.string().max(128) }))
    .refine((keys) => Object.keys(keys).length <= MAX_KEYS_SEEN),
});

/** JSON text of at most 64 KiB as an object; undefined for anything else. */
export function parseObject(text: string): JsonObject | undefined {
  const parsed = parseStrictJson(text);
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : undefined;
}

/**
 * The keys that an answer lists, once it is shown to be this server's own word: for its name, still valid, and signed by
 * at least one of the ed25519 keys that it lists, with no wrong signature by any of them.
 * Spec: server-server API, "Publishing Keys"; appendices, "Checking for a Signature".
 */
export function readKeyAnswer(answer: JsonObject | undefined, { serverName, now }: Expected): KeyAnswer {
  const parsed = Shape.safeParse(answer);
  if (!parsed.success || answer === undefined) return { ok: false, kind: 'Malformed' };
  const { server_name: name, valid_until_ts: validUntil, verify_keys: listed } = parsed.data;
  if (name !== serverName) return { ok: false, kind: 'WrongServerName' };
  const keys = Object.entries(listed).flatMap(([keyId, { key }]) => toSeenKey(keyId, key));
  if (keys.length === 0) return { ok: false, kind: 'Malformed' };
  if (!isSignedBy(answer, serverName, keys)) return { ok: false, kind: 'BadSignature' };
  return validUntil > now ? { ok: true, keys, validUntil } : { ok: false, kind: 'Expired' };
}

/** Keys of other algorithms are for other servers. */
function toSeenKey(keyId: string, base64: string): SeenKey[] {
  const bytes = Buffer.from(base64, 'base64');
  if (!KEY_ID.test(keyId) || bytes.length !== PUBLIC_KEY_BYTES) return [];
  return [{ keyId, publicKey: bytes.toString('base64').replace(/=+$/, '') }];
}

function isSignedBy(answer: JsonObject, serverName: string, keys: readonly SeenKey[]): boolean {
  const signatures = ownObject(ownObject(answer, 'signatures') ?? {}, serverName) ?? {};
  const signed = keys.flatMap((key) => {
    const signature = ownString(signatures, key.keyId);
    return signature === undefined ? [] : [{ key, signature }];
  });
  const text = signedText(answer);
  return text !== undefined && signed.length > 0 && signed.every((one) => isValid(text, one.signature, one.key));
}

/** What a signature covers: the object without its signatures, in canonical form. */
function signedText(answer: JsonObject): string | undefined {
  const covered = Object.entries(answer).filter(([key]) => key !== 'signatures' && key !== 'unsigned');
  try {
    return canonicalJson(Object.fromEntries(covered));
  } catch (error) {
    if (error instanceof CanonicalJsonError) return undefined;
    throw error;
  }
}

function isValid(text: string, signatureBase64: string, { publicKey }: SeenKey): boolean {
  const signature = Buffer.from(signatureBase64, 'base64');
  if (signature.length !== SIGNATURE_BYTES) return false;
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey, 'base64').toString('base64url') };
  return verify(null, Buffer.from(text), createPublicKey({ key: jwk, format: 'jwk' }), signature);
}

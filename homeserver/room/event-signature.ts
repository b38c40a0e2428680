import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { canonicalJson, canonicalMembers, CanonicalJsonError, joinMembers } from './canonical-json.ts';
import { EventFormatError, requireEventSize, roomEventOf, type RoomEvent, type UnsignedPdu } from './event-format.ts';
import { eventIdOfHash, hashText, sha256Base64, signedText, unpadded } from './event-hash.ts';
import {
  parseUserId,
  serverNameOf,
  serverNameOfEvent,
  type EventId,
  type EventReference,
  type ServerName,
} from './identifiers.ts';
import { ownObject, ownString, type JsonObject } from './json-value.ts';
import { redact, redactContent } from './redaction.ts';
import { allowsRestrictedJoins, carriesEventId, type RoomVersionRules } from './room-versions.ts';

/** One ed25519 key of this server. */
export interface SigningKey {
  /** `ed25519:` and the version that tells the server's keys apart. */
  readonly keyId: `ed25519:${string}`;
  readonly privateKey: KeyObject;
  /** The 32 bytes of the public key in unpadded Base64. */
  readonly publicKeyBase64: string;
}

/** An event of our own, ready to be stored and sent. */
export interface FinishedPdu {
  /** Canonical JSON with hashes and signature. */
  readonly json: string;
  readonly event: RoomEvent;
  /** How later events name this one. */
  readonly reference: EventReference;
}

const SEED_BYTES = 32;
const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** What PKCS #8 puts before the 32 bytes of an ed25519 seed (RFC 8410). */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The signing key with that 32-byte seed; throws RangeError for a seed of another length. */
export function signingKeyFromSeed(keyId: `ed25519:${string}`, seed: Uint8Array): SigningKey {
  if (seed.length !== SEED_BYTES) throw new RangeError(`a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  if (x === undefined) throw new TypeError('not an ed25519 key');
  return { keyId, privateKey, publicKeyBase64: unpadded(Buffer.from(x, 'base64url').toString('base64')) };
}

/**
 * A copy of the object with our signature beside those it has. Throws CanonicalJsonError.
 *
 * Spec: Appendices, "Signing Details".
 */
export function signJson(object: JsonObject, serverName: ServerName, key: SigningKey): JsonObject {
  return withSignature(object, serverName, key, signText(signedText(object), key));
}

/**
 * A copy of an event with our signature over its redacted form, as co-signing a restricted join wants.
 * Throws CanonicalJsonError.
 *
 * Spec: Server-Server API, "Adding hashes and signatures to outgoing events".
 */
export function signEvent(
  pdu: JsonObject,
  rules: RoomVersionRules,
  serverName: ServerName,
  key: SigningKey,
): JsonObject {
  return withSignature(pdu, serverName, key, signText(signedText(redact(pdu, rules)), key));
}

/**
 * True if the object carries a valid signature of that server made with that key; false for malformed keys,
 * signatures and objects too.
 *
 * Spec: Appendices, "Checking for a Signature", steps 4 to 7.
 */
export function verifyJson(object: JsonObject, serverName: string, keyId: string, publicKeyBase64: string): boolean {
  const signature = ownString(ownObject(ownObject(object, 'signatures') ?? {}, serverName) ?? {}, keyId);
  if (signature === undefined || !keyId.startsWith('ed25519:')) return false;
  try {
    return verifyText(signedText(object), signature, publicKeyBase64);
  } catch (error) {
    if (error instanceof CanonicalJsonError) return false;
    throw error;
  }
}

/** True if the text carries that signature; key and signature are Base64 of either alphabet, padded or not. */
export function verifyText(text: string, signatureBase64: string, publicKeyBase64: string): boolean {
  const signature = Buffer.from(signatureBase64, 'base64');
  const publicKey = Buffer.from(publicKeyBase64, 'base64');
  if (signature.length !== SIGNATURE_BYTES || publicKey.length !== PUBLIC_KEY_BYTES) return false;
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') };
  return verify(null, Buffer.from(text), createPublicKey({ key: jwk, format: 'jwk' }), signature);
}

/**
 * The servers whose valid signature an event needs before it is looked at further. The cryptographic check of each
 * is for the caller, who has the keys.
 *
 * Spec: Server-Server API, "Validating hashes and signatures on received events"; room version 8, rule 4.2.
 */
export function requiredSigners(event: RoomEvent, rules: RoomVersionRules): readonly ServerName[] {
  const signers = new Set<ServerName>();
  if (!isThirdPartyInvite(event)) signers.add(serverNameOf(event.sender));
  const namer = carriesEventId(rules) ? serverNameOfEvent(event.eventId) : undefined;
  if (namer !== undefined) signers.add(namer);
  if (event.type === 'm.room.member' && allowsRestrictedJoins(rules)) {
    const authoriser = parseUserId(ownString(event.content, 'join_authorised_via_users_server') ?? '');
    if (authoriser !== undefined) signers.add(serverNameOf(authoriser));
  }
  return [...signers];
}

/** An invite that redeems a third-party invite may be sent by another server than the sender's. */
function isThirdPartyInvite(event: RoomEvent): boolean {
  return (
    event.type === 'm.room.member' &&
    ownString(event.content, 'membership') === 'invite' &&
    ownObject(event.content, 'third_party_invite') !== undefined
  );
}

/**
 * Adds content hash, signature and id to an event of our own in one pass. Throws EventFormatError and
 * CanonicalJsonError for what no server would take.
 *
 * Each member is encoded once: the content hash, the signature with the id, and the stored text are put together from
 * the same pieces.
 */
export function finishPdu(
  pdu: UnsignedPdu,
  rules: RoomVersionRules,
  serverName: ServerName,
  key: SigningKey,
): FinishedPdu {
  const members = canonicalMembers(pdu);
  const hashes: Member = ['hashes', `{"sha256":"${sha256Base64(joinMembers(members))}"}`];
  const essential = joinMembers([...redactMembers(members, pdu, rules), hashes]);
  const signature = signText(essential, key);
  const signatures: Member = ['signatures', canonicalJson({ [serverName]: { [key.keyId]: signature } })];
  const json = joinMembers([...members, hashes, signatures]);
  requireEventSize(json);
  const hash = hashText(essential, rules);
  const event = roomEventOf(pdu, idOf(pdu, hash, rules), rules);
  requireRoomIdOnlyWhereDue(event, rules);
  const reference: EventReference = carriesEventId(rules) ? [event.eventId, { sha256: hash }] : event.eventId;
  return { json, event: { ...event, signedBy: [serverName] }, reference };
}

function idOf(pdu: UnsignedPdu, hash: string, rules: RoomVersionRules): EventId {
  if (!carriesEventId(rules)) return eventIdOfHash(hash);
  if (pdu.event_id === undefined) throw new EventFormatError('bad_field', 'event_id: this room version needs one');
  return pdu.event_id;
}

type Member = readonly [key: string, text: string];

/** What redaction leaves, from members that are encoded already; content is encoded again only if it shrinks. */
function redactMembers(members: readonly Member[], pdu: UnsignedPdu, rules: RoomVersionRules): Member[] {
  const content = redactContent(pdu.type, pdu.content, rules);
  return members
    .filter(([key]) => rules.redaction.topLevel.has(key))
    .map((member) =>
      member[0] === 'content' && content !== pdu.content ? ['content', canonicalJson(content)] : member,
    );
}

/** The auth rules refuse such a create event; we do not even make one. */
function requireRoomIdOnlyWhereDue(event: RoomEvent, rules: RoomVersionRules): void {
  if (rules.roomIdFormat === 'create-event-hash' && event.type === 'm.room.create' && event.carriesRoomId) {
    throw new EventFormatError('bad_field', 'room_id: the create event of this room version has none');
  }
}

function signText(text: string, key: SigningKey): string {
  return unpadded(sign(null, Buffer.from(text), key.privateKey).toString('base64'));
}

function withSignature(object: JsonObject, serverName: ServerName, key: SigningKey, signature: string): JsonObject {
  const signatures = ownObject(object, 'signatures') ?? {};
  const ours = { ...ownObject(signatures, serverName), [key.keyId]: signature };
  return { ...object, signatures: { ...signatures, [serverName]: ours } };
}

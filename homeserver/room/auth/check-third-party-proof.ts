import { CanonicalJsonError } from '../canonical-json.ts';
import { signedText } from '../event-hash.ts';
import { verifyText } from '../event-signature.ts';
import { isJsonObject, ownMember, ownObject, ownString, type JsonObject, type JsonValue } from '../json-value.ts';
import { ALLOWED, deny, type AuthResult } from './auth-result.ts';
import type { MemberCheck } from './member-check.ts';
import { membershipIn } from './membership.ts';

/**
 * Most pairs of signature and key that are tried. A real proof has one signature and two keys; an event of 64 KB could
 * ask for 200,000 pairs, at about 0.1 ms each.
 */
const MAX_ATTEMPTS = 256;

/** Rule 5.4.1: an invite that redeems an invitation of an address, such as one for email. */
export function checkThirdPartyProof({ event, target, state }: MemberCheck, thirdParty: JsonValue): AuthResult {
  // 5.4.1.1
  if (membershipIn(state, target) === 'ban') return deny('invite.third_party_banned');
  // 5.4.1.2
  const signed = isJsonObject(thirdParty) ? ownObject(thirdParty, 'signed') : undefined;
  if (signed === undefined) return deny('invite.third_party_unsigned');
  // 5.4.1.3
  const mxid = ownString(signed, 'mxid');
  const token = ownString(signed, 'token');
  if (mxid === undefined || token === undefined) return deny('invite.third_party_incomplete');
  // 5.4.1.4
  if (mxid !== target) return deny('invite.third_party_other_user');
  // 5.4.1.5
  const invitation = state.get('m.room.third_party_invite', token);
  if (invitation === undefined) return deny('invite.third_party_unknown_token');
  // 5.4.1.6
  if (invitation.sender !== event.sender) return deny('invite.third_party_other_sender');
  // 5.4.1.7, 5.4.1.8
  return isSignedByAny(signed, publicKeysOf(invitation.content)) ? ALLOWED : deny('invite.third_party_bad_signature');
}

/** The key under `public_key` and those under `public_keys`. */
function publicKeysOf(content: JsonObject): string[] {
  const listed = ownMember(content, 'public_keys');
  const entries: readonly JsonValue[] = Array.isArray(listed) ? listed : [];
  const fromList = entries.map((entry) => (isJsonObject(entry) ? ownString(entry, 'public_key') : undefined));
  return [ownString(content, 'public_key'), ...fromList].filter((key) => key !== undefined);
}

function isSignedByAny(signed: JsonObject, publicKeys: readonly string[]): boolean {
  const text = signedTextOrNothing(signed);
  if (text === undefined) return false;
  const pairs = signaturesOf(signed).flatMap((signature) => publicKeys.map((key) => ({ signature, key })));
  return pairs.slice(0, MAX_ATTEMPTS).some(({ signature, key }) => verifyText(text, signature, key));
}

/** Every ed25519 signature, whoever made it and under whichever key id. */
function signaturesOf(signed: JsonObject): string[] {
  return Object.values(ownObject(signed, 'signatures') ?? {})
    .flatMap((keys) => (isJsonObject(keys) ? Object.entries(keys) : []))
    .flatMap(([keyId, signature]) => (keyId.startsWith('ed25519:') && typeof signature === 'string' ? signature : []));
}

function signedTextOrNothing(signed: JsonObject): string | undefined {
  try {
    return signedText(signed);
  } catch (error) {
    if (error instanceof CanonicalJsonError) return undefined;
    throw error;
  }
}

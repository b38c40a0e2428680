import type { RoomEvent } from '../event-format.ts';
import { parseUserId, serverNameOf } from '../identifiers.ts';
import { ownMember, ownString, type JsonValue } from '../json-value.ts';
import { allowsKnocking, allowsRestrictedJoins, type RoomVersionRules } from '../room-versions.ts';
import { deny, type AuthResult } from './auth-result.ts';
import { checkBan } from './check-ban.ts';
import { checkInvite } from './check-invite.ts';
import { checkJoin } from './check-join.ts';
import { checkKnock } from './check-knock.ts';
import { checkLeave } from './check-leave.ts';
import type { MemberCheck } from './member-check.ts';

/** Rules 5.3 to 5.7. */
const CHECKS: ReadonlyMap<JsonValue, (check: MemberCheck) => AuthResult> = new Map([
  ['join', checkJoin],
  ['invite', checkInvite],
  ['leave', checkLeave],
  ['ban', checkBan],
  ['knock', checkKnock],
]);

/** Rule 5: m.room.member. */
export function checkMember(subject: Omit<MemberCheck, 'target'>): AuthResult {
  const { event, rules } = subject;
  // 5.1
  const membership = ownMember(event.content, 'membership');
  if (event.stateKey === undefined || membership === undefined) return deny('member.malformed');
  // 5.2
  if (allowsRestrictedJoins(rules) && !isSignedByAuthoriser(event)) return deny('member.authoriser_not_signed');
  // 5.8
  const check = exists(membership, rules) ? CHECKS.get(membership) : undefined;
  return check === undefined ? deny('member.unknown_membership') : check({ ...subject, target: event.stateKey });
}

function exists(membership: JsonValue, rules: RoomVersionRules): boolean {
  return membership !== 'knock' || allowsKnocking(rules);
}

/** That the named server's signature is there; whether it is valid was checked on receipt, see `requiredSigners`. */
function isSignedByAuthoriser(event: RoomEvent): boolean {
  if (ownMember(event.content, 'join_authorised_via_users_server') === undefined) return true;
  const authoriser = parseUserId(ownString(event.content, 'join_authorised_via_users_server') ?? '');
  return authoriser !== undefined && event.signedBy.includes(serverNameOf(authoriser));
}

import { ownMember } from '../json-value.ts';
import { ALLOWED, deny, type AuthResult } from './auth-result.ts';
import { checkThirdPartyProof } from './check-third-party-proof.ts';
import { memberPower, type MemberCheck } from './member-check.ts';
import { membershipIn } from './membership.ts';

/** Rule 5.4: an invite. */
export function checkInvite(check: MemberCheck): AuthResult {
  const { event, target, state } = check;
  // 5.4.1
  const thirdParty = ownMember(event.content, 'third_party_invite');
  if (thirdParty !== undefined) return checkThirdPartyProof(check, thirdParty);
  // 5.4.2
  if (membershipIn(state, event.sender) !== 'join') return deny('invite.sender_not_joined');
  // 5.4.3
  const membership = membershipIn(state, target);
  if (membership === 'join' || membership === 'ban') return deny('invite.target_joined_or_banned');
  // 5.4.4, 5.4.5
  const power = memberPower(check);
  return power.sender >= power.level('invite') ? ALLOWED : deny('invite.too_little_power');
}

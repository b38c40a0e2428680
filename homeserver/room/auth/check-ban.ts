import { ALLOWED, deny, type AuthResult } from './auth-result.ts';
import { memberPower, type MemberCheck } from './member-check.ts';
import { membershipIn } from './membership.ts';

/** Rule 5.6: a ban. */
export function checkBan(check: MemberCheck): AuthResult {
  // 5.6.1
  if (membershipIn(check.state, check.event.sender) !== 'join') return deny('ban.sender_not_joined');
  // 5.6.2, 5.6.3
  const power = memberPower(check);
  return power.sender >= power.level('ban') && power.target < power.sender ? ALLOWED : deny('ban.too_little_power');
}

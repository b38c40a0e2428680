import { ALLOWED, deny, type AuthResult } from './auth-result.ts';
import { memberPower, type MemberCheck } from './member-check.ts';
import { membershipIn } from './membership.ts';

const CAN_LEAVE: ReadonlySet<string | undefined> = new Set(['invite', 'join', 'knock']);

/** Rule 5.5: leaving, turning down an invite, taking back a knock; or removing another user, or lifting a ban. */
export function checkLeave(check: MemberCheck): AuthResult {
  const { event, target, state } = check;
  // 5.5.1
  if (event.sender === target) {
    return CAN_LEAVE.has(membershipIn(state, target)) ? ALLOWED : deny('leave.not_in_room');
  }
  // 5.5.2
  if (membershipIn(state, event.sender) !== 'join') return deny('leave.sender_not_joined');
  // 5.5.3
  const power = memberPower(check);
  if (membershipIn(state, target) === 'ban' && power.sender < power.level('ban')) return deny('leave.may_not_unban');
  // 5.5.4, 5.5.5
  return power.sender >= power.level('kick') && power.target < power.sender ? ALLOWED : deny('leave.too_little_power');
}

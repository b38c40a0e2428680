import { ownString } from '../json-value.ts';
import { actionLevel, creatorsOf, powerLevelsOf, userPowerLevel } from '../power-levels.ts';
import { ALLOWED, deny, type AuthResult } from './auth-result.ts';
import { joinRuleIn } from './join-rule.ts';
import type { MemberCheck } from './member-check.ts';
import { membershipIn } from './membership.ts';

/** Rule 5.3: a join. */
export function checkJoin(check: MemberCheck): AuthResult {
  const { event, target, state } = check;
  // 5.3.1
  if (isFirstJoin(check)) return ALLOWED;
  // 5.3.2
  if (event.sender !== target) return deny('join.not_own');
  // 5.3.3
  const membership = membershipIn(state, target);
  if (membership === 'ban') return deny('join.banned');
  return checkJoinRule(check, membership === 'invite' || membership === 'join');
}

/** The creator joins right after the create event; additional creators do not have this way in. */
function isFirstJoin({ event, target, create, rules }: MemberCheck): boolean {
  const [only, ...others] = event.prevEvents;
  return only === create.eventId && others.length === 0 && creatorsOf(create, rules)[0] === target;
}

/** Rules 5.3.4 to 5.3.7. */
function checkJoinRule(check: MemberCheck, isInvitedOrJoined: boolean): AuthResult {
  const joinRule = joinRuleIn(check.state);
  // Rules of later room versions let nobody in.
  if (!check.rules.joinRules.has(joinRule)) return deny('join.not_allowed');
  switch (joinRule) {
    // 5.3.6
    case 'public':
      return ALLOWED;
    // 5.3.4
    case 'invite':
    case 'knock':
      return isInvitedOrJoined ? ALLOWED : deny('join.not_allowed');
    // 5.3.5
    case 'restricted':
    case 'knock_restricted':
      return isInvitedOrJoined ? ALLOWED : checkAuthoriser(check);
    // 5.3.7
    default:
      return deny('join.not_allowed');
  }
}

/** Rule 5.3.5.2: a member who may invite vouches for the one who joins. */
function checkAuthoriser({ event, state, rules }: MemberCheck): AuthResult {
  const authoriser = ownString(event.content, 'join_authorised_via_users_server');
  if (authoriser === undefined || membershipIn(state, authoriser) !== 'join') {
    return deny('join.authoriser_may_not_invite');
  }
  const levels = powerLevelsOf(state, rules);
  return userPowerLevel(levels, authoriser) >= actionLevel(levels, 'invite')
    ? ALLOWED
    : deny('join.authoriser_may_not_invite');
}

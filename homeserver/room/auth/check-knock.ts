import { ALLOWED, deny, type AuthResult } from './auth-result.ts';
import { joinRuleIn } from './join-rule.ts';
import type { MemberCheck } from './member-check.ts';
import { membershipIn } from './membership.ts';

const KNOCKABLE: ReadonlySet<string> = new Set(['knock', 'knock_restricted']);
const INSIDE_OR_BANNED: ReadonlySet<string | undefined> = new Set(['ban', 'invite', 'join']);

/** Rule 5.7: a knock. */
export function checkKnock({ event, target, state, rules }: MemberCheck): AuthResult {
  // 5.7.1
  const joinRule = joinRuleIn(state);
  if (!KNOCKABLE.has(joinRule) || !rules.joinRules.has(joinRule)) return deny('knock.not_allowed');
  // 5.7.2
  if (event.sender !== target) return deny('knock.not_own');
  // 5.7.3, 5.7.4
  return INSIDE_OR_BANNED.has(membershipIn(state, target)) ? deny('knock.banned_or_inside') : ALLOWED;
}

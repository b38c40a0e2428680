import { ownString } from '../json-value.ts';
import type { AuthState } from './auth-state.ts';

/** The join rule of a state; a room without one can be joined by invitation alone. */
export function joinRuleIn(state: AuthState): string {
  const joinRules = state.get('m.room.join_rules', '');
  if (joinRules === undefined) return 'invite';
  return ownString(joinRules.content, 'join_rule') ?? 'invite';
}

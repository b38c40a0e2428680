import { ownString } from '../json-value.ts';
import type { AuthState } from './auth-state.ts';

/** The membership of a user in a state; undefined for one who never was in the room. */
export function membershipIn(state: AuthState, userId: string): string | undefined {
  const member = state.get('m.room.member', userId);
  return member === undefined ? undefined : ownString(member.content, 'membership');
}

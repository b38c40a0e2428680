import { MatrixError } from '../errors.ts';
import type { DraftGuard, GuardResult } from '../pipeline/room-writer.ts';
import type { AuthState } from '../room/auth/auth-state.ts';
import type { UserId } from '../room/identifiers.ts';
import { ownString } from '../room/json-value.ts';

/** What a guard makes of the membership that a user has; `none`: no member event. Memberships that are not named: go on. */
export type MemberRule = Readonly<Partial<Record<MembershipOrNone, 'stands' | { refuse: string }>>>;

type MembershipOrNone = 'join' | 'invite' | 'leave' | 'ban' | 'knock' | 'none';

/**
 * A guard on the membership of one user: where it has been reached already, or where it cannot be changed like that. It says nothing
 * to a sender who asks about somebody else without being in the room: the auth rules refuse that.
 */
export function memberGuard(sender: UserId, userId: UserId, rule: MemberRule): DraftGuard {
  return {
    needs: [
      ['m.room.member', userId],
      ['m.room.member', sender],
    ],
    decide: (state): GuardResult => {
      if (userId !== sender && membershipIn(state, sender) !== 'join') return { go: true };
      const event = state.get('m.room.member', userId);
      const says = ruleFor(rule, membershipIn(state, userId) ?? 'none');
      if (says === undefined) return { go: true };
      if (says !== 'stands') return { go: false, refuse: new MatrixError('M_FORBIDDEN', says.refuse) };
      return event === undefined ? { go: true } : { go: false, stands: event.eventId };
    },
  };
}

function membershipIn(state: AuthState, userId: UserId): string | undefined {
  const event = state.get('m.room.member', userId);
  return event === undefined ? undefined : ownString(event.content, 'membership');
}

function ruleFor(rule: MemberRule, membership: string): MemberRule[MembershipOrNone] {
  switch (membership) {
    case 'join':
    case 'invite':
    case 'leave':
    case 'ban':
    case 'knock':
    case 'none':
      return rule[membership];
    default:
      return undefined;
  }
}

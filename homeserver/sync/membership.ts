import { jsonMembers, jsonString } from './json-members.ts';

/** Values of the column `memberships.membership`. */
export const MEMBERSHIP = { join: 1, invite: 2, leave: 3, ban: 4, knock: 5 } as const;

/** The column where branches that met have taken the membership away: the user is not in the room, and no event says so. */
export const NO_MEMBERSHIP = 0;

/** Memberships of those who were in the room, or could have been, and are not any more. */
export function isGone(membership: number | null): boolean {
  return membership === MEMBERSHIP.leave || membership === MEMBERSHIP.ban || membership === NO_MEMBERSHIP;
}

export type MembershipName = keyof typeof MEMBERSHIP;

export const MEMBERSHIP_NAMES = [
  'join',
  'invite',
  'leave',
  'ban',
  'knock',
] as const satisfies readonly MembershipName[];

/** The `membership` of an m.room.member event, from its JSON text; redaction keeps it. */
export function membershipOf(json: string): string | undefined {
  const content = jsonMembers(json).get('content');
  return content === undefined ? undefined : jsonString(jsonMembers(content).get('membership'));
}

import type { JsonObject } from '../room/json-value.ts';
import type { UserId } from '../room/identifiers.ts';
import { parsePlainJson } from '../room/strict-json.ts';
import { selectMemberProfiles } from '../storage/room-reads/select-profiles.ts';
import type { RoomsContext } from './context.ts';

/**
 * What the profiles of users add to their member events: `displayname` and `avatar_url`, where set. Users of other servers have none
 * here. Spec: client-server API, "Events on Change of Profile Information" (v1.19).
 */
export async function memberProfiles(
  ctx: RoomsContext,
  userIds: readonly UserId[],
): Promise<ReadonlyMap<string, JsonObject>> {
  const profiles = new Map<string, JsonObject>();
  if (userIds.length === 0) return profiles;
  for (const { user_id, field, value } of await selectMemberProfiles(ctx.store.db, userIds)) {
    const parsed = parsePlainJson(value);
    if (typeof parsed === 'string') profiles.set(user_id, { ...profiles.get(user_id), [field]: parsed });
  }
  return profiles;
}

/** Content of a member event with the user's profile. */
export async function memberContent(
  ctx: RoomsContext,
  userId: UserId,
  content: { membership: string; reason?: string | undefined },
): Promise<JsonObject> {
  const profiles = await memberProfiles(ctx, [userId]);
  return { ...profiles.get(userId), ...plainContent(content) };
}

/** Content of a member event without a profile, as leaving, kicking and banning leave it. */
export function plainContent(content: { membership: string; reason?: string | undefined }): JsonObject {
  const { membership, reason } = content;
  return reason === undefined ? { membership } : { membership, reason };
}

import { parseUserId, type UserId } from '../room/identifiers.ts';
import type { JsonObject } from '../room/json-value.ts';
import { parsePlainJson } from '../room/strict-json.ts';
import type { Queryable } from '../storage/database.ts';
import { GatheredReads } from '../storage/gathered-reads.ts';
import { selectMemberProfiles } from '../storage/room-reads/select-profiles.ts';

/**
 * What the profiles of users add to their member events: `displayname` and `avatar_url`, where set. Users of other servers have none
 * here. Who join at the same time are looked up together. Spec: client-server API, "Events on Change of Profile Information" (v1.19).
 */
export type MemberProfiles = GatheredReads<UserId, JsonObject>;

export function openMemberProfiles(db: Queryable): MemberProfiles {
  return new GatheredReads(async (userIds) => {
    const profiles = new Map<UserId, JsonObject>();
    for (const { user_id, field, value } of await selectMemberProfiles(db, userIds)) {
      const [userId, parsed] = [parseUserId(user_id), parsePlainJson(value)];
      if (userId !== undefined && typeof parsed === 'string')
        profiles.set(userId, { ...profiles.get(userId), [field]: parsed });
    }
    return profiles;
  });
}

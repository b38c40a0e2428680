import type { JsonObject } from '../room/json-value.ts';
import type { UserId } from '../room/identifiers.ts';
import type { RoomsContext } from './context.ts';

/** Content of a member event with the user's profile. */
export async function memberContent(
  ctx: RoomsContext,
  userId: UserId,
  content: { membership: string; reason?: string | undefined },
): Promise<JsonObject> {
  const profiles = await ctx.profiles.read([userId]);
  return { ...profiles.get(userId), ...plainContent(content) };
}

/** Content of a member event without a profile, as leaving, kicking and banning leave it. */
export function plainContent(content: { membership: string; reason?: string | undefined }): JsonObject {
  const { membership, reason } = content;
  return reason === undefined ? { membership } : { membership, reason };
}

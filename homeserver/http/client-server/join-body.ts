import * as z from 'zod';
import type { JsonObject } from '../../room/json-value.ts';
import { JsonContent, Reason } from '../json-content.ts';

/** What a join may carry. */
export const JoinBody = JsonContent.and(z.looseObject({ reason: Reason, third_party_signed: z.unknown().optional() }));

/** Members of a member event that the server or the auth rules have to do with. */
const RESERVED: ReadonlySet<string> = new Set([
  'membership',
  'displayname',
  'avatar_url',
  'is_direct',
  'join_authorised_via_users_server',
  'third_party_invite',
  'third_party_signed',
  'reason',
]);

/** What a client wants in its member event beyond what the specification knows, as other servers take it from the body too. */
export function extraContent(body: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([key]) => !RESERVED.has(key)));
}

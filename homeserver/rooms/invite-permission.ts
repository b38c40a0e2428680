import { ownString } from '../room/json-value.ts';
import { parseJsonObject } from '../room/strict-json.ts';

/** Type of the account data in which a user says whose invites they want. */
export const INVITE_PERMISSION = 'm.invite_permission_config';

/** Whether a user wants no invites at all. What is of another shape wants them all. Spec: client-server API, "Invite permission" (v1.19). */
export function blocksInvites(content: string): boolean {
  return ownString(parseJsonObject(content), 'default_action') === 'block';
}

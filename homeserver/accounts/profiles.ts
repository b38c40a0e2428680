import * as z from 'zod';
import { MatrixError } from '../errors.ts';
import type { UserId } from '../room/identifiers.ts';
import { parseUserId } from '../room/identifiers.ts';
import { parsePlainJson } from '../room/strict-json.ts';
import type { Queryable } from '../storage/database.ts';
import { selectAccount } from '../storage/tables/accounts.ts';
import { upsertProfileUpdate } from '../storage/tables/profile_updates.ts';
import { deleteProfileField, selectProfile, upsertProfileField } from '../storage/tables/profiles.ts';
import type { AccountsContext } from './context.ts';
import { indexUsers } from './user-directory.ts';

/** A profile as JSON stays under this. */
const PROFILE_BYTES = 65_536;
const MAX_FIELD_BYTES = 255;

const FIELD_NAME = /^(?:avatar_url|displayname|m\.tz|[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+)$/;

/** Fields that member events carry too. */
const IN_MEMBER_EVENTS = new Set(['displayname', 'avatar_url']);

/** What the specification says of the fields that it defines; all others hold any JSON. */
const FIELD_VALUES: Readonly<Record<string, z.ZodType>> = {
  displayname: z.string().max(256),
  avatar_url: z
    .string()
    .max(1000)
    // Some set a word; clients load nothing but mxc:// URIs anyway. What would lead elsewhere is refused.
    .regex(/^(?:mxc:\/\/[^/]+\/[^/]+|[^:/]*)$/, 'an mxc:// URI is allowed'),
  'm.tz': z.string().max(255),
};

/** All fields of a local user, by name. Errors: M_NOT_FOUND (no such user, or one of another server). */
export async function getProfile(ctx: AccountsContext, userId: string): Promise<Record<string, unknown>> {
  const account = parseUserId(userId) && (await selectAccount(ctx.store.db, userId));
  if (account === undefined) throw new MatrixError('M_NOT_FOUND', 'No user of this server has this id.');
  const rows = await selectProfile(ctx.store.db, account.user_no);
  return Object.fromEntries(rows.map(({ field, value }): [string, unknown] => [field, parsePlainJson(value)]));
}

/**
 * Sets one field; '' removes a display name or an avatar. Member events follow by `spreadProfile`.
 * Errors: M_INVALID_PARAM, M_KEY_TOO_LARGE, M_PROFILE_TOO_LARGE. Spec: client-server API, "Profiles" (v1.19).
 */
export async function setProfileField(
  ctx: AccountsContext,
  userNo: number,
  field: string,
  value: unknown,
): Promise<{ spread: boolean }> {
  refuseFieldName(field);
  const checked = FIELD_VALUES[field]?.safeParse(value);
  if (checked?.success === false) {
    throw new MatrixError('M_INVALID_PARAM', `${field}: ${checked.error.issues[0]?.message ?? 'not allowed'}`);
  }
  if (value === '' && IN_MEMBER_EVENTS.has(field)) return removeProfileField(ctx, userNo, field);
  const json = JSON.stringify(value);
  const changed = await ctx.store.db.transaction(async (db) => {
    if (!(await upsertProfileField(db, userNo, field, json))) return false;
    refuseLargeProfile(await selectProfile(db, userNo));
    if (IN_MEMBER_EVENTS.has(field)) await noteChange(db, userNo);
    return true;
  });
  return { spread: changed && IN_MEMBER_EVENTS.has(field) };
}

/** Removes one field, which need not be there. Errors: M_INVALID_PARAM, M_KEY_TOO_LARGE. */
export async function removeProfileField(
  ctx: AccountsContext,
  userNo: number,
  field: string,
): Promise<{ spread: boolean }> {
  refuseFieldName(field);
  const changed = await ctx.store.db.transaction(async (db) => {
    if (!(await deleteProfileField(db, userNo, field))) return false;
    if (IN_MEMBER_EVENTS.has(field)) await noteChange(db, userNo);
    return true;
  });
  return { spread: changed && IN_MEMBER_EVENTS.has(field) };
}

/** What shows a profile follows in the same transaction (the user directory) or from there on (member events). */
async function noteChange(db: Queryable, userNo: number): Promise<void> {
  await upsertProfileUpdate(db, userNo);
  await indexUsers(db, [userNo]);
}

const MemberProfile = z.object({ displayname: z.string().optional(), avatar_url: z.string().optional() });

/** The part of a profile that belongs in the user's member events. */
export async function memberProfile(
  ctx: AccountsContext,
  userId: UserId,
): Promise<{ displayname?: string; avatar_url?: string }> {
  const { displayname, avatar_url } = MemberProfile.parse(await getProfile(ctx, userId));
  return { ...(displayname !== undefined && { displayname }), ...(avatar_url !== undefined && { avatar_url }) };
}

function refuseFieldName(field: string): void {
  if (Buffer.byteLength(field) > MAX_FIELD_BYTES) throw new MatrixError('M_KEY_TOO_LARGE');
  if (FIELD_NAME.test(field)) return;
  const allowed = 'displayname, avatar_url, m.tz or a name such as com.example.field is allowed';
  throw new MatrixError('M_INVALID_PARAM', `keyName: ${allowed}`);
}

function refuseLargeProfile(rows: readonly { field: string; value: string }[]): void {
  const members = rows.map(({ field, value }) => `${JSON.stringify(field)}:${value}`);
  if (Buffer.byteLength(`{${members.join(',')}}`) >= PROFILE_BYTES) throw new MatrixError('M_PROFILE_TOO_LARGE');
}

import { MatrixError } from '../errors.ts';
import { ownObject, type JsonObject } from '../room/json-value.ts';
import { parseJsonObject } from '../room/strict-json.ts';
import type { SyncContext } from './context.ts';
import { accountRoomNo, checkDataSize } from './own-account-data.ts';
import type { ReadingUser } from './session.ts';
import { selectAccountData } from '../storage/sync-reads/select-streams.ts';

const TAG_TYPE = 'm.tag';

const MAX_TAGS = 200;

/** What clients wrote themselves under m.tag may have any shape. */
function tagsIn(content: JsonObject): JsonObject {
  return ownObject(content, 'tags') ?? {};
}

/** The user's tags of a room, by name. Errors: M_NOT_FOUND (no such room). Spec: client-server API, "Room Tagging" (v1.19). */
export async function readTags(ctx: SyncContext, reader: ReadingUser, roomId: string): Promise<JsonObject> {
  const key = { userNo: reader.userNo, roomNo: await accountRoomNo(ctx, roomId), type: TAG_TYPE };
  return tagsIn(parseJsonObject(await selectAccountData(ctx.store.db, key)));
}

interface TagName {
  readonly roomId: string;
  readonly tag: string;
}

/** Errors: M_NOT_FOUND (no such room), M_TOO_LARGE (too many tags). */
export function setTag(ctx: SyncContext, reader: ReadingUser, name: TagName, content: object): Promise<void> {
  return changeTags(ctx, reader, name, (tags) => {
    const changed = [...tags.filter(([tag]) => tag !== name.tag), [name.tag, content] as const];
    if (changed.length > MAX_TAGS) throw new MatrixError('M_TOO_LARGE', `A room may have at most ${MAX_TAGS} tags.`);
    return changed;
  });
}

/** A tag that is not there is none to complain about. Errors: M_NOT_FOUND (no such room). */
export function deleteTag(ctx: SyncContext, reader: ReadingUser, name: TagName): Promise<void> {
  return changeTags(ctx, reader, name, (tags) => tags.filter(([tag]) => tag !== name.tag));
}

type TagEntries = readonly (readonly [string, unknown])[];

async function changeTags(
  ctx: SyncContext,
  reader: ReadingUser,
  { roomId }: TagName,
  change: (tags: TagEntries) => TagEntries,
): Promise<void> {
  const roomNo = await accountRoomNo(ctx, roomId);
  const key = { kind: 'account_data', userNo: reader.userNo, roomNo, type: TAG_TYPE } as const;
  await ctx.writer.changeOwnData(key, (text) => {
    const content = parseJsonObject(text);
    const next = JSON.stringify({ ...content, tags: Object.fromEntries(change(Object.entries(tagsIn(content)))) });
    checkDataSize(next);
    return next === text || (text === undefined && next === '{"tags":{}}') ? undefined : next;
  });
}

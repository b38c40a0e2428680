import { MatrixError } from '../errors.ts';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import type { EventDraft, RoomWriter } from '../pipeline/room-writer.ts';
import type { StreamWriter } from '../pipeline/stream-writer.ts';
import { parseRoomId, parseUserId } from '../room/identifiers.ts';
import type { EventId, RoomId, UserId } from '../room/identifiers.ts';
import { ownObject, type JsonObject } from '../room/json-value.ts';
import { ROOM_VERSIONS } from '../room/room-versions.ts';
import { parseJsonObject } from '../room/strict-json.ts';
import { memberGuard } from '../rooms/member-guard.ts';
import { newRoomEvents } from '../rooms/new-room-events.ts';
import type { Store } from '../storage/store.ts';
import { insertAccount, selectAccount } from '../storage/tables/accounts.ts';
import { claimNoticeRoom, selectNoticeRoom } from '../storage/tables/server_notice_rooms.ts';

const TAG = 'm.server_notice';

/** The part of the context that a notice takes: the command line has no more. */
export interface NoticeContext {
  readonly config: HomeserverConfig;
  readonly store: Store;
  readonly writer: RoomWriter & StreamWriter;
}

export interface Notice {
  /** To whom; a user of this server. */
  readonly userId: string;
  /** Content of the m.room.message. */
  readonly content: JsonObject;
  /** Type of the event; m.room.message when absent. */
  readonly type?: string;
  /** Makes a repeated notice the same one. */
  readonly transaction?: EventDraft['transaction'];
}

interface NoticeRoom {
  readonly roomId: RoomId;
  readonly roomNo: number;
}

/** The user as whom the server talks. */
export function noticesUserId(config: HomeserverConfig): UserId {
  const userId = parseUserId(`@${config.serverNotices.localpart}:${config.serverName}`);
  if (userId === undefined) throw new MatrixError('M_INVALID_USERNAME', 'serverNotices.localpart: is too long.');
  return userId;
}

/**
 * Sends a notice to a user, in the one room that the server has with them: made with the first notice, tagged, and the user invited
 * (again) if not inside. Errors: M_NOT_FOUND (no such account), M_EXCLUSIVE (the account of the notices is somebody's), those of a send.
 * Spec: client-server API, "Server Notices" (v1.19).
 */
export async function sendNotice(ctx: NoticeContext, notice: Notice): Promise<EventId> {
  const account = await selectAccount(ctx.store.db, notice.userId);
  const userId = parseUserId(notice.userId);
  if (account === undefined || userId === undefined || account.deactivated_at !== null) {
    throw new MatrixError('M_NOT_FOUND', 'No active user of this server has this id.');
  }
  const sender = await ensureSender(ctx);
  const room = await ensureRoom(ctx, sender, account.user_no);
  await tagRoom(ctx, account.user_no, room.roomNo);
  await invite(ctx, room.roomId, { sender, userId });
  const { type = 'm.room.message', content, transaction } = notice;
  const sent = await ctx.writer.send(room.roomId, { type, sender, content, ...(transaction && { transaction }) });
  return sent.eventId;
}

/** An account that nobody can log in to. */
async function ensureSender({ config, store }: NoticeContext): Promise<UserId> {
  const userId = noticesUserId(config);
  const userNo = await store.names.userNo(userId);
  await insertAccount(store.db, { userNo, passwordHash: null, admin: false, createdAt: Date.now() });
  const account = await selectAccount(store.db, userId);
  if (account?.password_hash === null) return userId;
  throw new MatrixError('M_EXCLUSIVE', `${userId} is somebody's account: set serverNotices.localpart to a free name.`);
}

async function ensureRoom(ctx: NoticeContext, sender: UserId, userNo: number): Promise<NoticeRoom> {
  const { store, writer, config } = ctx;
  const known = await findRoom(ctx, userNo);
  if (known?.roomId !== undefined) return { roomId: known.roomId, roomNo: known.roomNo };
  // The number comes first: whoever is cut off here leaves it to the next one, so that there is never a second room.
  if (known === undefined) await claimNoticeRoom(store.db, userNo, await store.numbers.nextRoomNo());
  const roomNo = (await findRoom(ctx, userNo))?.roomNo;
  try {
    const made = await writer.create(config.rooms.defaultVersion, roomEvents(config, sender), roomNo);
    return { roomId: made.roomId, roomNo: roomNo ?? 0 };
  } catch (error) {
    // Of two that make it at once the store refuses one.
    const other = await findRoom(ctx, userNo);
    if (other?.roomId === undefined) throw error;
    return { roomId: other.roomId, roomNo: other.roomNo };
  }
}

async function findRoom({ store }: NoticeContext, userNo: number) {
  const row = await selectNoticeRoom(store.db, userNo);
  return row && { roomNo: row.room_no, roomId: row.room_id === null ? undefined : parseRoomId(row.room_id) };
}

function roomEvents(config: HomeserverConfig, sender: UserId): EventDraft[] {
  const rules = ROOM_VERSIONS.get(config.rooms.defaultVersion);
  if (rules === undefined) throw new MatrixError('M_UNSUPPORTED_ROOM_VERSION');
  const { displayName, avatarUrl, roomName } = config.serverNotices;
  const avatar = avatarUrl === undefined ? {} : { avatar_url: avatarUrl };
  return newRoomEvents({
    creator: sender,
    rules,
    preset: 'private_chat',
    creationContent: {},
    // The user reads; only the server talks.
    powerLevelOverride: { users_default: -10 },
    initialState: avatarUrl === undefined ? [] : [{ type: 'm.room.avatar', stateKey: '', content: { url: avatarUrl } }],
    alias: undefined,
    name: roomName,
    topic: undefined,
    invite: [],
    isDirect: undefined,
    profiles: new Map([[sender, { displayname: displayName, ...avatar }]]),
  });
}

async function tagRoom({ writer }: NoticeContext, userNo: number, roomNo: number): Promise<void> {
  await writer.changeOwnData({ kind: 'account_data', userNo, roomNo, type: 'm.tag' }, (text) => {
    const content = parseJsonObject(text);
    const tags = ownObject(content, 'tags') ?? {};
    if (Object.hasOwn(tags, TAG)) return undefined;
    return JSON.stringify({ ...content, tags: { ...tags, [TAG]: {} } });
  });
}

async function invite(ctx: NoticeContext, roomId: RoomId, who: { sender: UserId; userId: UserId }): Promise<void> {
  const { sender, userId } = who;
  const guard = memberGuard(sender, userId, { invite: 'stands', join: 'stands' });
  await ctx.writer.send(roomId, {
    type: 'm.room.member',
    stateKey: userId,
    sender,
    content: { membership: 'invite' },
    guard,
  });
}

import { MatrixError } from '../errors.ts';
import type { EventDraft } from '../pipeline/room-writer.ts';
import { ownString, type JsonObject } from '../room/json-value.ts';
import { parseRoomAlias, parseUserId, type RoomAlias, type RoomId, type UserId } from '../room/identifiers.ts';
import { ROOM_VERSIONS } from '../room/room-versions.ts';
import { claimAlias, releaseAlias } from '../storage/tables/aliases.ts';
import { insertPublishedRoom, releasePublishedRoom } from '../storage/tables/published_rooms.ts';
import type { Actor } from './actor.ts';
import type { RoomsContext } from './context.ts';
import { requireInvitable } from './local-user.ts';
import { newRoomEvents, type InitialState } from './new-room-events.ts';
import type { RoomPreset } from './room-preset.ts';

/** Events of one batch, and of one `sendAll` for the invites beyond it. */
const FIRST_EVENTS = 256;
const MORE_EVENTS = 64;

/** What a client may ask of a new room. */
export interface RoomRequest {
  readonly version: string | undefined;
  readonly visibility: 'public' | 'private';
  readonly preset: RoomPreset | undefined;
  readonly creationContent: JsonObject;
  readonly powerLevelOverride: JsonObject;
  readonly initialState: readonly InitialState[];
  readonly aliasName: string | undefined;
  readonly name: string | undefined;
  readonly topic: string | undefined;
  readonly invite: readonly UserId[];
  readonly isDirect: boolean | undefined;
}

/**
 * Makes a room: all its events in one batch, invites included (those beyond 256 events in further ones). Errors:
 * M_UNSUPPORTED_ROOM_VERSION, M_ROOM_IN_USE (alias taken), M_INVALID_PARAM (alias, too many invites), M_INVALID_ROOM_STATE (the events
 * asked for do not fit together), M_FORBIDDEN (invitee of another server), M_INVITE_BLOCKED. Spec: client-server API, "createRoom" (v1.19).
 */
export async function createRoom(ctx: RoomsContext, actor: Actor, request: RoomRequest): Promise<RoomId> {
  const version = request.version ?? ctx.config.rooms.defaultVersion;
  const drafts = await draftsOf(ctx, actor, { ...request, version });
  const alias = request.aliasName === undefined ? undefined : aliasOf(ctx, request.aliasName);
  const roomNo = await ctx.store.numbers.nextRoomNo();
  const listed = { roomNo, alias, published: request.visibility === 'public' };
  await list(ctx, actor, listed);
  try {
    return await writeRoom(ctx, version, { roomNo, drafts });
  } catch (error) {
    await unlist(ctx, listed);
    throw error;
  }
}

async function draftsOf(
  ctx: RoomsContext,
  actor: Actor,
  request: RoomRequest & { version: string },
): Promise<EventDraft[]> {
  const rules = ROOM_VERSIONS.get(request.version);
  if (rules === undefined) throw new MatrixError('M_UNSUPPORTED_ROOM_VERSION');
  const invite = [...new Set(request.invite)];
  const limit = ctx.config.rooms.maxInvitesPerCreate;
  if (invite.length > limit) throw new MatrixError('M_INVALID_PARAM', `invite: at most ${limit} users are allowed`);
  await requireInvitable(ctx, [...invite, ...invitedBy(request.initialState)]);
  const defaultPreset = request.visibility === 'public' ? 'public_chat' : 'private_chat';
  return newRoomEvents({
    ...request,
    creator: actor.userId,
    rules,
    preset: request.preset ?? defaultPreset,
    alias: request.aliasName === undefined ? undefined : aliasOf(ctx, request.aliasName),
    invite,
    profiles: await ctx.profiles.read([actor.userId, ...invite]),
  });
}

/** Whom the client invites by writing the member event itself. What is no user id is for the auth rules to refuse. */
function invitedBy(initialState: readonly InitialState[]): UserId[] {
  return initialState.flatMap(({ type, stateKey, content }) => {
    const invites = type === 'm.room.member' && ownString(content, 'membership') === 'invite';
    return (invites ? parseUserId(stateKey) : undefined) ?? [];
  });
}

function aliasOf(ctx: RoomsContext, name: string): RoomAlias {
  const alias = /[\s:]/.test(name) || name === '' ? undefined : parseRoomAlias(`#${name}:${ctx.config.serverName}`);
  if (alias !== undefined) return alias;
  throw new MatrixError(
    'M_INVALID_PARAM',
    'room_alias_name: a text without spaces and colons is allowed, with #...:server at most 255 bytes',
  );
}

interface Listing {
  readonly roomNo: number;
  readonly alias: RoomAlias | undefined;
  readonly published: boolean;
}

/** Before the room is made: a crash in between leaves rows that lead nowhere, not a room without its name. */
async function list(ctx: RoomsContext, actor: Actor, { roomNo, alias, published }: Listing): Promise<void> {
  if (alias === undefined && !published) return;
  await ctx.store.db.transaction(async (db) => {
    if (alias !== undefined && !(await claimAlias(db, { alias, roomNo, creatorNo: actor.userNo }))) {
      throw new MatrixError('M_ROOM_IN_USE');
    }
    if (published) await insertPublishedRoom(db, roomNo);
  });
}

async function unlist(ctx: RoomsContext, { roomNo, alias, published }: Listing): Promise<void> {
  try {
    if (alias !== undefined) await releaseAlias(ctx.store.db, alias, roomNo);
    if (published) await releasePublishedRoom(ctx.store.db, roomNo);
  } catch (err) {
    ctx.log.warn({ err, step: 'unlist room' }, 'a name of a room that was not made stays until it is asked for again');
  }
}

/** Writes a new room's events, the first 256 in one batch. Errors: M_INVALID_ROOM_STATE. */
export async function writeRoom(
  ctx: RoomsContext,
  version: string,
  room: { roomNo: number; drafts: readonly EventDraft[] },
): Promise<RoomId> {
  const { roomNo, drafts } = room;
  const { roomId } = await asRoomState(ctx.writer.create(version, drafts.slice(0, FIRST_EVENTS), roomNo));
  for (let done = FIRST_EVENTS; done < drafts.length; done += MORE_EVENTS) {
    await asRoomState(ctx.writer.sendAll(roomId, drafts.slice(done, done + MORE_EVENTS)));
  }
  return roomId;
}

/** What the auth rules refuse in a new room is a fault of the request. */
async function asRoomState<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof MatrixError) || (error.code !== 'M_FORBIDDEN' && error.code !== 'M_INVALID_PARAM'))
      throw error;
    throw new MatrixError('M_INVALID_ROOM_STATE', error.message, { cause: error });
  }
}

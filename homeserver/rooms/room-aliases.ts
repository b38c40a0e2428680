import { MatrixError } from '../errors.ts';
import { parseRoomAlias, parseRoomId, serverNameOf, type RoomAlias, type RoomId } from '../room/identifiers.ts';
import { ownMember, type JsonObject, type JsonValue } from '../room/json-value.ts';
import { claimAlias, deleteAlias, selectAlias, selectAliasesOfRoom } from '../storage/tables/aliases.ts';
import type { Actor } from './actor.ts';
import type { RoomsContext } from './context.ts';
import { actorInRoom, joinedActor } from './room-power.ts';

/** Aliases of this server that one room may have. */
const MAX_ALIASES = 1000;

/** The alias in a request, which must be one of this server. Errors: M_INVALID_PARAM. */
function localAlias(ctx: RoomsContext, text: string): RoomAlias {
  const alias = parseRoomAlias(text);
  if (alias === undefined)
    throw new MatrixError('M_INVALID_PARAM', 'The room alias is not valid: #name:server is allowed.');
  if (serverNameOf(alias) === ctx.config.serverName) return alias;
  throw new MatrixError('M_INVALID_PARAM', `Only aliases of ${ctx.config.serverName} can be changed here.`);
}

/**
 * Makes an alias lead to a room that the user is in; done before by the same user is done. Errors: M_INVALID_PARAM, M_FORBIDDEN (not
 * in the room, or it has too many), M_UNKNOWN with 409 (the alias is taken). Spec: client-server API, "setRoomAlias" (v1.19).
 */
export async function setRoomAlias(
  ctx: RoomsContext,
  actor: Actor,
  wanted: { alias: string; roomId: RoomId },
): Promise<void> {
  const alias = localAlias(ctx, wanted.alias);
  const { head } = await joinedActor(ctx, actor, wanted.roomId);
  const { db } = ctx.store;
  if ((await selectAliasesOfRoom(db, head.roomNo, MAX_ALIASES)).length >= MAX_ALIASES)
    throw new MatrixError('M_FORBIDDEN', `A room may have ${MAX_ALIASES} aliases.`);
  if (await claimAlias(db, { alias, roomNo: head.roomNo, creatorNo: actor.userNo })) return;
  const taken = await selectAlias(db, alias);
  if (taken?.room_no === head.roomNo && taken.creator_no === actor.userNo) return;
  throw new MatrixError('M_UNKNOWN', `The alias ${alias} exists already.`, { status: 409 });
}

/**
 * Takes away an alias: its maker may, and who may set the room's canonical alias; from that event it goes too if the user has the
 * power. Errors: M_INVALID_PARAM, M_NOT_FOUND, M_FORBIDDEN. Spec: client-server API, "deleteRoomAlias" (v1.19).
 */
export async function deleteRoomAlias(ctx: RoomsContext, actor: Actor, text: string): Promise<void> {
  const alias = localAlias(ctx, text);
  const row = await selectAlias(ctx.store.db, alias);
  const roomId = parseRoomId(row?.room_id ?? '');
  if (row === undefined || roomId === undefined) throw notFound();
  if (row.creator_no !== actor.userNo) await requirePower(ctx, actor, roomId);
  if (!(await deleteAlias(ctx.store.db, alias, row.room_no))) throw notFound();
  await dropFromCanonicalAlias(ctx, actor, { alias, roomId });
}

function notFound(): MatrixError {
  return new MatrixError('M_NOT_FOUND', 'There is no such room alias.');
}

async function requirePower(ctx: RoomsContext, actor: Actor, roomId: RoomId): Promise<void> {
  const inRoom = await actorInRoom(ctx, actor, roomId);
  if (inRoom?.maySet('m.room.canonical_alias') === true) return;
  throw new MatrixError('M_FORBIDDEN', 'Only its maker and those who may set the canonical alias can take it away.');
}

/** The alias is gone whatever becomes of this: who lacks the power, or has lost it meanwhile, leaves the event as it is. */
async function dropFromCanonicalAlias(
  ctx: RoomsContext,
  actor: Actor,
  gone: { alias: RoomAlias; roomId: RoomId },
): Promise<void> {
  const inRoom = await actorInRoom(ctx, actor, gone.roomId, [['m.room.canonical_alias', '']]);
  const found = inRoom?.head.found.find((entry) => entry.event.type === 'm.room.canonical_alias');
  const content = found === undefined ? undefined : withoutAlias(found.event.content, gone.alias);
  if (content === undefined || inRoom?.maySet('m.room.canonical_alias') !== true) return;
  const draft = { type: 'm.room.canonical_alias', stateKey: '', content, sender: actor.userId };
  try {
    await ctx.writer.send(gone.roomId, draft);
  } catch (error) {
    if (!(error instanceof MatrixError) || error.code !== 'M_FORBIDDEN') throw error;
  }
}

/** Undefined when the content does not name the alias. */
function withoutAlias(content: JsonObject, alias: string): JsonObject | undefined {
  const listed = ownMember(content, 'alt_aliases');
  const others: readonly JsonValue[] = Array.isArray(listed) ? listed : [];
  const isMain = ownMember(content, 'alias') === alias;
  if (!isMain && !others.includes(alias)) return undefined;
  const kept = Object.entries(content).filter(([key]) => key !== 'alt_aliases' && !(isMain && key === 'alias'));
  const rest = others.filter((other) => other !== alias);
  return Object.fromEntries(rest.length === 0 ? kept : [...kept, ['alt_aliases', rest]]);
}

/** This server's aliases of a room, for members and where the world may read. Errors: M_FORBIDDEN. */
export async function readLocalAliases(ctx: RoomsContext, actor: Actor, roomId: RoomId): Promise<string[]> {
  const visibility = ['m.room.history_visibility', ''] as const;
  const inRoom = await actorInRoom(ctx, actor, roomId, [visibility]);
  const setting = inRoom?.head.found.find((entry) => entry.event.type === visibility[0]);
  const isOpen = setting?.event.content['history_visibility'] === 'world_readable';
  if (inRoom === undefined || (!inRoom.isJoined && !isOpen))
    throw new MatrixError('M_FORBIDDEN', 'You are not in this room.');
  return selectAliasesOfRoom(ctx.store.db, inRoom.head.roomNo, MAX_ALIASES);
}

import { MatrixError } from '../errors.ts';
import { loadRoomHead, type LoadedHead } from '../pipeline/load-room-head.ts';
import type { DraftGuard, GuardResult, StateName } from '../pipeline/room-writer.ts';
import { parseRoomId, type EventId, type RoomId, type UserId } from '../room/identifiers.ts';
import { isJsonObject, ownMember, ownObject, ownString, type JsonObject } from '../room/json-value.ts';
import { creatorsOf } from '../room/power-levels.ts';
import { ROOM_VERSIONS, type RoomVersionRules } from '../room/room-versions.ts';
import { parseLooseJson } from '../room/strict-json.ts';
import { selectBans, selectChildren, type UpgradeStateRow } from '../storage/room-reads/select-upgrade-state.ts';
import { updateAliasesOfRoom } from '../storage/tables/aliases.ts';
import { updatePublishedRoom } from '../storage/tables/published_rooms.ts';
import type { Actor } from './actor.ts';
import { carrySettings } from './carry-settings.ts';
import type { RoomsContext } from './context.ts';
import { writeRoom } from './create-room.ts';
import { leaveRoom } from './leave-room.ts';
import { userIdOf } from './local-user.ts';
import { joinedActor } from './room-power.ts';
import { restrictedPowerLevels, TRANSFERRED_TYPES, upgradedRoomEvents, type OldRoom } from './upgraded-room-events.ts';

/** Children and bans that are handed on. */
const MAX_HANDED_ON = 5000;

export interface Upgrade {
  readonly roomId: RoomId;
  readonly version: string;
  /** As the client names them; versions without such creators do not look at them. */
  readonly additionalCreators: readonly string[];
}

interface Plan extends Upgrade {
  readonly additionalCreators: readonly UserId[];
  readonly rules: RoomVersionRules;
  readonly head: LoadedHead;
  /** The tombstone that stands already. */
  readonly tombstone: EventId | undefined;
}

/**
 * Replaces a room by a new one of another version: makes it, names it in the old room's tombstone, then carries over
 * the user's own settings and moves aliases and the place in the directory. Asked again after it was cut off behind the tombstone, it goes on where it was. Gives the new room's id.
 * Errors: M_UNSUPPORTED_ROOM_VERSION, M_INVALID_PARAM (a creator is no user id), M_FORBIDDEN. Spec: client-server API, "Room Upgrades" (v1.19).
 */
export async function upgradeRoom(ctx: RoomsContext, actor: Actor, upgrade: Upgrade): Promise<RoomId> {
  const plan = await planUpgrade(ctx, actor, upgrade);
  const replacement = (await begunReplacement(ctx, actor, plan)) ?? (await replace(ctx, actor, plan));
  await carrySettings(ctx, actor, { from: upgrade.roomId, to: replacement });
  const head = await loadRoomHead(ctx.store, replacement, []);
  if (head !== undefined) await moveNames(ctx, plan.head.roomNo, head.roomNo);
  await closeOldRoom(ctx, actor, plan);
  return replacement;
}

async function planUpgrade(ctx: RoomsContext, actor: Actor, upgrade: Upgrade): Promise<Plan> {
  const rules = ROOM_VERSIONS.get(upgrade.version);
  if (rules === undefined) throw new MatrixError('M_UNSUPPORTED_ROOM_VERSION');
  const names = ['m.room.tombstone', ...TRANSFERRED_TYPES].map((type): StateName => [type, '']);
  const { head, maySet } = await joinedActor(ctx, actor, upgrade.roomId, names);
  if (!maySet('m.room.tombstone')) throw new MatrixError('M_FORBIDDEN', 'You may not upgrade this room.');
  const further = rules.creators === 'sender-and-additional' ? upgrade.additionalCreators.map(userIdOf) : [];
  return {
    ...upgrade,
    additionalCreators: further,
    rules,
    head,
    tombstone: entryOf(head, 'm.room.tombstone')?.eventId,
  };
}

function entryOf(head: LoadedHead, type: string) {
  return head.found.find(({ event }) => event.type === type && event.stateKey === '')?.event;
}

/** The room that this same user has made in this same upgrade, if the tombstone names it. */
async function begunReplacement(ctx: RoomsContext, actor: Actor, plan: Plan): Promise<RoomId | undefined> {
  const tombstone = entryOf(plan.head, 'm.room.tombstone');
  if (tombstone?.sender !== actor.userId) return undefined;
  const roomId = parseRoomId(ownString(tombstone.content, 'replacement_room') ?? '');
  if (roomId === undefined) return undefined;
  const head = await loadRoomHead(ctx.store, roomId, [['m.room.create', '']]);
  return head !== undefined && replaces(head, actor, plan) ? roomId : undefined;
}

function replaces(head: LoadedHead, actor: Actor, plan: Plan): boolean {
  const create = entryOf(head, 'm.room.create');
  if (create?.sender !== actor.userId || head.rules !== plan.rules) return false;
  return ownString(ownObject(create.content, 'predecessor') ?? {}, 'room_id') === plan.roomId;
}

async function replace(ctx: RoomsContext, actor: Actor, plan: Plan): Promise<RoomId> {
  const roomId = await makeReplacement(ctx, actor, plan);
  const draft = {
    type: 'm.room.tombstone',
    stateKey: '',
    sender: actor.userId,
    content: { body: 'This room has been replaced', replacement_room: roomId },
  };
  const sent = await ctx.writer.send(plan.roomId, { ...draft, guard: tombstoneGuard(plan.tombstone) });
  if (sent.position > 0) return roomId;
  // Somebody else has replaced the room meanwhile: theirs stands.
  await leaveRoom(ctx, actor, { roomId });
  const head = await loadRoomHead(ctx.store, plan.roomId, [['m.room.tombstone', '']]);
  const other = ownString((head && entryOf(head, 'm.room.tombstone'))?.content ?? {}, 'replacement_room');
  return parseRoomId(other ?? '') ?? roomId;
}

function tombstoneGuard(known: EventId | undefined): DraftGuard {
  return {
    needs: [['m.room.tombstone', '']],
    decide: (state): GuardResult => {
      const present = state.get('m.room.tombstone', '');
      return present === undefined || present.eventId === known ? { go: true } : { go: false, stands: present.eventId };
    },
  };
}

async function makeReplacement(ctx: RoomsContext, actor: Actor, plan: Plan): Promise<RoomId> {
  const [old, profiles, roomNo] = await Promise.all([
    readOldRoom(ctx, plan),
    ctx.profiles.read([actor.userId]),
    ctx.store.numbers.nextRoomNo(),
  ]);
  const { rules, additionalCreators } = plan;
  const profile = profiles.get(actor.userId) ?? {};
  const drafts = upgradedRoomEvents(old, { rules, creator: actor.userId, additionalCreators, profile });
  return writeRoom(ctx, plan.version, { roomNo, drafts });
}

async function readOldRoom(ctx: RoomsContext, { roomId, head }: Plan): Promise<OldRoom> {
  const create = entryOf(head, 'm.room.create');
  const isSpace = ownString(create?.content ?? {}, 'type') === 'm.space';
  const childType = await ctx.store.names.typeNo('m.space.child');
  const range = { roomNo: head.roomNo, limit: MAX_HANDED_ON };
  const [children, banned] = await Promise.all([
    isSpace ? selectChildren(ctx.store.db, range, childType) : [],
    selectBans(ctx.store.db, range),
  ]);
  const plain = head.found.map((entry) => entry.event).filter((event) => event.stateKey === '');
  return {
    roomId,
    rules: head.rules,
    lastEvent: head.tips.at(-1)?.eventId,
    state: new Map(plain.map((event) => [event.type, event.content])),
    creators: create !== undefined && head.rules.creatorPower === 'infinite' ? creatorsOf(create, head.rules) : [],
    children: contentsOf(children, (content) => Array.isArray(ownMember(content, 'via'))),
    banned: contentsOf(banned, () => true),
  };
}

/** Contents by state key. */
function contentsOf(rows: readonly UpgradeStateRow[], isWanted: (content: JsonObject) => boolean) {
  const contents = new Map<string, JsonObject>();
  for (const row of rows) {
    const parsed = parseLooseJson(row.json);
    const content = parsed.ok && isJsonObject(parsed.value) ? ownObject(parsed.value, 'content') : undefined;
    if (content !== undefined && isWanted(content)) contents.set(row.state_key, content);
  }
  return contents;
}

/** In one transaction: an alias leads to the old room or to the new one. */
async function moveNames(ctx: RoomsContext, from: number, to: number): Promise<void> {
  await ctx.store.db.transaction(async (db) => {
    await updateAliasesOfRoom(db, from, to);
    await updatePublishedRoom(db, from, to);
  });
}

/** As far as the user's power goes: the tombstone has ended the room already. */
async function closeOldRoom(ctx: RoomsContext, actor: Actor, { roomId, head }: Plan): Promise<void> {
  const levels = entryOf(head, 'm.room.power_levels')?.content;
  const restricted = levels && restrictedPowerLevels(levels);
  if (ownString(entryOf(head, 'm.room.canonical_alias')?.content ?? {}, 'alias') !== undefined)
    await sendIfAllowed(ctx, actor, { roomId, type: 'm.room.canonical_alias', content: {} });
  if (restricted !== undefined)
    await sendIfAllowed(ctx, actor, { roomId, type: 'm.room.power_levels', content: restricted });
}

async function sendIfAllowed(
  ctx: RoomsContext,
  actor: Actor,
  event: { roomId: RoomId; type: string; content: JsonObject },
): Promise<void> {
  const { roomId, ...draft } = event;
  try {
    await ctx.writer.send(roomId, { ...draft, stateKey: '', sender: actor.userId });
  } catch (error) {
    if (!(error instanceof MatrixError) || error.code !== 'M_FORBIDDEN') throw error;
  }
}

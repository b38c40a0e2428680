import * as z from 'zod';
import { background } from '../../log.ts';
import { parsePlainJson } from '../../room/strict-json.ts';
import { EVENT_FLAGS } from '../../storage/batch-arrays.ts';
import type { TimelineRow } from '../../storage/sync-reads/select-timeline.ts';
import { upsertPushCounters, type NewPushCounter } from '../../storage/tables/push_counters.ts';
import type { LoadedPushRules } from '../loaded-push-rules.ts';
import { readPushRules } from '../push-rules.ts';
import type { PushCandidate, PushRoom } from '../push-candidate.ts';
import { isJudgedByKind, isJudgedByTexts, judgeEvents } from '../push-verdicts.ts';
import type { Session } from '../session.ts';
import { indexAfter } from '../countable-events.ts';
import type { CountableRow, EventKind } from '../countable-events.ts';
import { findQuietKinds } from '../text-mentions.ts';
import { readUncounted } from './uncounted-events.ts';
import { unreadInWindow, type ToldRoom } from './unread-in-window.ts';
import type { RememberedUnread, RoomUnread, UnreadCount } from '../unread-memory.ts';
import { rulesOf } from '../standing.ts';

/** Users whose events notify nobody here, and the position at which that became so. */
export interface Ignored {
  readonly users: ReadonlySet<string>;
  readonly position: number;
}

/** What the answer has read, at one moment. */
export interface ReadAt {
  readonly head: number;
  readonly ignored: Ignored;
  /** Position of the last change of the push rules. */
  readonly rulesPosition: number;
  /** Of the memory of counts, from before anything was read. */
  readonly generation: number;
}

/** Where nothing is stored, the newest so many events of a room are counted; of one of many rooms fewer. */
const MOST_EVENTS = 1000;
const MOST_EVENTS_OF_MANY = 100;
const MANY_ROOMS = 20;

/** Having counted so many events, a replica stores the count: others, and it after a restart, go on from there. */
const WORTH_STORING = 64;

const Counts = z.record(z.string(), z.tuple([z.number(), z.number()]));

/**
 * Unread notifications of the rooms that the reader is joined to, by room number. An event counts when the push rules as they are now
 * say so, and neither a receipt nor a message of the reader's own in its thread comes after it. Redacted events do not count.
 * Spec: client-server API, "Receiving notifications", "Marking notifications as read" (v1.19).
 */
export async function readUnread(
  session: Session,
  rooms: readonly ToldRoom[],
  moment: ReadAt,
): Promise<Map<number, RoomUnread>> {
  if (rooms.length === 0) return new Map();
  const limit = rooms.length > MANY_ROOMS ? MOST_EVENTS_OF_MANY : MOST_EVENTS;
  const { ignored, generation } = moment;
  const found = await findRooms(session, rooms, { moment, limit });
  const rules = await readPushRules(session.ctx, session.reader, found.rulesPosition);
  const atHand = rooms.flatMap(({ window }) => window.scanned);
  const counting: Counting = { session, rules, ignored: ignored.users, atHand };
  const counted = await countRooms(counting, found.rooms);
  // What was counted by other rules or for other ignored users than those of this moment is not kept.
  if (rules.position === found.rulesPosition && ignored.position === found.ignoredPosition)
    keepCounts(session, { counted: counted.filter((room) => !isCutShort(room, limit)), generation });
  return new Map(counted.map(({ row, unread }) => [row.room_no, unread]));
}

/** A room to count, with the position up to which its events were read. */
interface RoomAt {
  readonly row: CountableRow;
  readonly head: number;
  /** What this replica has counted before, as far as it still holds. */
  readonly before: RememberedUnread | undefined;
}

interface Rows {
  readonly rooms: readonly RoomAt[];
  readonly rulesPosition: number;
  readonly ignoredPosition: number;
}

/** Rooms that can be counted from what has been read and is remembered need no query. */
async function findRooms(
  session: Session,
  rooms: readonly ToldRoom[],
  { moment, limit }: { moment: ReadAt; limit: number },
): Promise<Rows> {
  const { ctx, reader } = session;
  const redaction = session.numbers.redactionType;
  const { head, rulesPosition, ignored } = moment;
  const changedAt = Math.max(rulesPosition, ignored.position);
  const quick = rooms.flatMap((room): RoomAt[] => {
    const before = ctx.sync.unread.get(reader.userNo, room.row.room_no);
    const row = unreadInWindow(room, { before, changedAt, redaction });
    return row === undefined ? [] : [{ row, head: Math.max(head, before?.countedTo ?? 0), before }];
  });
  const done = new Set(quick.map(({ row }) => row.room_no));
  const left = rooms.filter(({ row }) => !done.has(row.room_no));
  if (left.length === 0) return { rooms: quick, rulesPosition, ignoredPosition: ignored.position };
  const read = await readRows(session, left, limit);
  return { ...read, rooms: [...quick, ...read.rooms] };
}

/** A redaction may have taken away what is in an earlier count: such rooms are read without it. */
async function readRows(session: Session, rooms: readonly ToldRoom[], limit: number): Promise<Rows> {
  const remembered = new Map(
    rooms.map(({ row }) => [row.room_no, session.ctx.sync.unread.get(session.reader.userNo, row.room_no)]),
  );
  const countedTo = (roomNo: number) => remembered.get(roomNo)?.countedTo ?? 0;
  const found = await readUncounted(session, rooms, { limit, countedTo });
  const isVoid = (row: CountableRow) =>
    row.counted_to !== null && row.events.hasAfter(session.numbers.redactionType, row.uncounted_from);
  const held = found.rooms
    .filter((row) => !isVoid(row))
    .map((row): RoomAt => {
      const before = remembered.get(row.room_no);
      const holds = row.counts === null && row.counted_to === before?.countedTo;
      return { row, head: found.head, before: holds ? before : undefined };
    });
  const voided = new Set(found.rooms.filter(isVoid).map((row) => row.room_no));
  const again =
    voided.size === 0
      ? undefined
      : await readUncounted(
          session,
          rooms.filter(({ row }) => voided.has(row.room_no)),
          { limit, countedTo: undefined },
        );
  const anew = (again?.rooms ?? []).map((row) => ({ row, head: again?.head ?? found.head, before: undefined }));
  return {
    rooms: [...held, ...anew],
    rulesPosition: again?.rules_position ?? found.rules_position,
    ignoredPosition: again?.ignored_position ?? found.ignored_position,
  };
}

interface Counting {
  readonly session: Session;
  readonly rules: LoadedPushRules;
  readonly ignored: ReadonlySet<string>;
  /** What the answer has read anyway. */
  readonly atHand: readonly TimelineRow[];
}

interface CountedRoom extends RoomAt {
  readonly unread: RoomUnread;
}

async function countRooms(counting: Counting, rooms: readonly RoomAt[]): Promise<CountedRoom[]> {
  const { session, rules, atHand } = counting;
  const found = await sortRooms(counting, rooms);
  const events = found.flatMap(({ kinds }) => kinds.flatMap((kind) => kind.candidates));
  const verdicts = await judgeEvents(session, rules, { events, atHand });
  const countOf = (eventNo: number): UnreadCount | undefined => {
    const verdict = verdicts.get(eventNo);
    return verdict?.notify === true ? { notifications: 1, highlights: Number(verdict.highlight) } : undefined;
  };
  return found.map(({ room, kinds }) => ({ ...room, unread: countRoom(session, room, { kinds, countOf }) }));
}

interface SortedRoom {
  readonly room: RoomAt;
  readonly kinds: readonly KindToCount[];
}

/** Events of one kind that may count. */
interface KindToCount {
  readonly thread: string;
  /** What has to be judged: one for all that the rules cannot tell apart, or each. */
  readonly candidates: readonly PushCandidate[];
  /** For how many events a candidate stands. */
  readonly each: number;
}

/** Kinds of a room that may count, with what is known of each without looking into its events. */
interface HeardRoom {
  readonly room: RoomAt;
  readonly pushRoom: PushRoom;
  readonly heard: readonly (UnreadKind & { readonly looks: Pick<PushCandidate, 'type' | 'sender' | 'flags'> })[];
}

/** Looks at kinds, of which a room has as many as people who write, and only where the rules need it at events. */
async function sortRooms(counting: Counting, rooms: readonly RoomAt[]): Promise<SortedRoom[]> {
  const { session, rules } = counting;
  const sorted = await hearRooms(counting, rooms);
  const texts = sorted.flatMap(({ pushRoom, heard }) =>
    heard.filter(({ looks }) => isJudgedByTexts(looks, rules)).map((found) => ({ ...found, room: pushRoom })),
  );
  const quiet = await findQuietKinds(session, texts);
  return sorted.map(({ room, pushRoom, heard }) => ({
    room,
    kinds: heard.map(({ kind, first, looks }): KindToCount => {
      const { thread } = kind;
      const flags = quiet.has(kind) ? looks.flags & ~EVENT_FLAGS.unmarkedText : looks.flags;
      const isAlike = isJudgedByKind({ ...looks, flags }, rules);
      const eventNos = kind.eventNos.slice(first, isAlike ? first + 1 : undefined);
      const candidates = eventNos.map((eventNo, i) => {
        return { ...looks, eventNo, anchor: kind.anchors[first + i] ?? 0, room: pushRoom, flags };
      });
      return { thread, candidates, each: isAlike ? kind.eventNos.length - first : 1 };
    }),
  }));
}

/** Leaves out what ignored users have written. */
async function hearRooms({ session, ignored }: Counting, rooms: readonly RoomAt[]): Promise<HeardRoom[]> {
  const { names } = session.ctx.store;
  const counting = rooms.map((room) => ({ room, kinds: unreadKinds(session, room.row) }));
  const all = counting.flatMap(({ kinds }) => kinds.map(({ kind }) => kind));
  const [types, senders] = await Promise.all([
    names.types([...new Set(all.map((kind) => kind.typeNo))]),
    names.userIds([...new Set(all.map((kind) => kind.senderNo))]),
  ]);
  return counting.map(({ room, kinds }) => {
    const { row } = room;
    const ownMember = { eventNo: row.event_no, position: row.position };
    const pushRoom = { roomId: row.room_id, rules: rulesOf(row.version), joined: row.joined, ownMember };
    const heard = kinds.filter(({ kind }) => !ignored.has(senders.get(kind.senderNo) ?? ''));
    const looksOf = ({ senderNo, typeNo, flags }: EventKind) => {
      return { type: types.get(typeNo) ?? '', sender: senders.get(senderNo) ?? '', flags };
    };
    return { room, pushRoom, heard: heard.map((found) => ({ ...found, looks: looksOf(found.kind) })) };
  });
}

/** A kind with the index of its first event that is not read. */
interface UnreadKind {
  readonly kind: EventKind;
  readonly first: number;
}

/** Kinds of which something is not read yet. Who writes has read what stands above, in the same thread. */
function unreadKinds({ reader }: Session, row: CountableRow): UnreadKind[] {
  const written = row.events.writtenBy(reader.userNo);
  return row.events.kinds.flatMap((kind) => {
    if (kind.senderNo === reader.userNo) return [];
    const read = Math.max(row.uncounted_from, markOf(row, kind.thread), written.get(kind.thread) ?? 0);
    const first = indexAfter(kind.anchors, read);
    return first < kind.anchors.length ? [{ kind, first }] : [];
  });
}

function markOf({ marks }: CountableRow, thread: string): number {
  return Object.hasOwn(marks, thread) ? (marks[thread] ?? 0) : 0;
}

interface RoomCount {
  readonly kinds: readonly KindToCount[];
  countOf(eventNo: number): UnreadCount | undefined;
}

/** Goes on from the earlier count, of which what is above something that the reader has written since is read. */
function countRoom({ reader }: Session, { row, before }: RoomAt, { kinds, countOf }: RoomCount): RoomUnread {
  const unread = before === undefined ? parseCounts(row.counts) : new Map(before.unread);
  for (const [thread, anchor] of row.events.writtenBy(reader.userNo))
    if (anchor > row.uncounted_from) unread.delete(thread);
  for (const { thread, candidates, each } of kinds) {
    for (const { eventNo } of candidates) {
      const more = countOf(eventNo);
      if (more !== undefined) unread.set(thread, addTo(unread.get(thread) ?? NONE, more, each));
    }
  }
  return unread;
}

function addTo(sum: UnreadCount, more: UnreadCount, times: number): UnreadCount {
  return {
    notifications: sum.notifications + times * more.notifications,
    highlights: sum.highlights + times * more.highlights,
  };
}

const NONE: UnreadCount = { notifications: 0, highlights: 0 };

/** All threads together. */
export function sumOf(counts: Iterable<UnreadCount>): UnreadCount {
  let [notifications, highlights] = [0, 0];
  for (const count of counts) {
    notifications += count.notifications;
    highlights += count.highlights;
  }
  return { notifications, highlights };
}

function parseCounts(text: string | null): Map<string, UnreadCount> {
  const counts = text === null ? {} : Counts.parse(parsePlainJson(text));
  return new Map(
    Object.entries(counts).map(([thread, [notifications, highlights]]) => [thread, { notifications, highlights }]),
  );
}

/** One of many rooms was counted from the middle on; one that begins at the newest 1000 events is as good as it gets. */
function isCutShort({ row }: CountedRoom, limit: number): boolean {
  return row.events.countAfter(row.uncounted_from) >= limit && limit < MOST_EVENTS;
}

interface Kept {
  readonly counted: readonly CountedRoom[];
  /** Of the memory, from before the rooms were read. */
  readonly generation: number;
}

/** Remembers counts, and now and then stores them behind the answer: it loses nothing when that fails. */
function keepCounts({ ctx, db, reader }: Session, { counted, generation }: Kept): void {
  const toStore: NewPushCounter[] = [];
  for (const { row, head, before, unread } of counted) {
    const since = (before?.sinceStored ?? 0) + row.events.countAfter(row.uncounted_from);
    const isStored = since >= WORTH_STORING && unread.size <= MOST_EVENTS;
    if (isStored) toStore.push({ roomNo: row.room_no, countedTo: head, counts: countsText(unread) });
    const room = { userNo: reader.userNo, roomNo: row.room_no };
    ctx.sync.unread.set(room, { countedTo: head, unread, sinceStored: isStored ? 0 : since }, generation);
  }
  if (toStore.length > 0) background(upsertPushCounters(db, reader.userNo, toStore), ctx.log, 'store unread counts');
}

function countsText(unread: RoomUnread): string {
  const counts = [...unread].map(([thread, { notifications, highlights }]) => [thread, [notifications, highlights]]);
  return JSON.stringify(Object.fromEntries(counts));
}

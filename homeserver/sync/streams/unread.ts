import * as z from 'zod';
import { background } from '../../log.ts';
import { parsePlainJson } from '../../room/strict-json.ts';
import { EVENT_FLAGS } from '../../storage/batch-arrays.ts';
import type { UncountedEvent } from '../../storage/sync-reads/select-unread.ts';
import { upsertPushCounters, type NewPushCounter } from '../../storage/tables/push_counters.ts';
import type { LoadedPushRules } from '../loaded-push-rules.ts';
import { readPushRules } from '../push-rules.ts';
import { isJudgedByKind, judgeEvents, type PushCandidate } from '../push-verdicts.ts';
import type { Session } from '../session.ts';
import type { CountableRow } from '../recent-events.ts';
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
  const counting: Counting = { session, rules, ignored: ignored.users };
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
    row.counted_to !== null && row.events.some(([, , , typeNo]) => typeNo === session.numbers.redactionType);
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
}

interface CountedRoom extends RoomAt {
  readonly unread: RoomUnread;
}

async function countRooms(counting: Counting, rooms: readonly RoomAt[]): Promise<CountedRoom[]> {
  const { session, rules } = counting;
  const kinds = await gatherKinds(counting, rooms);
  const verdicts = await judgeEvents(session, rules, [...kinds.candidates.values()]);
  const countOf = (event: UncountedEvent, roomNo: number): UnreadCount | undefined => {
    const verdict = verdicts.get(kinds.candidates.get(kinds.keyOf(event, roomNo))?.eventNo ?? 0);
    return verdict?.notify === true ? { notifications: 1, highlights: Number(verdict.highlight) } : undefined;
  };
  return rooms.map((room) => ({ ...room, unread: countRoom(session, room, countOf) }));
}

/** Flags of an event are fewer bits. */
const MOST_FLAGS = 65_536;

/** The events that have to be judged: one for all that the rules cannot tell apart. */
interface EventKinds {
  readonly candidates: ReadonlyMap<string, PushCandidate>;
  keyOf(event: UncountedEvent, roomNo: number): string;
}

async function gatherKinds({ session, rules, ignored }: Counting, rooms: readonly RoomAt[]): Promise<EventKinds> {
  const { names } = session.ctx.store;
  const events = rooms.flatMap(({ row }) => row.events);
  const [types, senders] = await Promise.all([
    names.types([...new Set(events.map(([, , , typeNo]) => typeNo))]),
    names.userIds([...new Set(events.map(([, , senderNo]) => senderNo))]),
  ]);
  const decided = new Map<number, boolean>();
  const keyOf = ([eventNo, , senderNo, typeNo, flags]: UncountedEvent, roomNo: number) => {
    const kind = typeNo * MOST_FLAGS + flags;
    const isDecided = decided.get(kind) ?? isJudgedByKind({ type: types.get(typeNo) ?? '', flags }, rules);
    decided.set(kind, isDecided);
    return isDecided ? `${roomNo}/${senderNo}/${kind}` : String(eventNo);
  };
  const candidates = new Map<string, PushCandidate>();
  for (const { row } of rooms) {
    const room = { roomId: row.room_id, rules: rulesOf(row.version), joined: row.joined };
    for (const event of row.events) {
      if (!mayCount(session, row, event)) continue;
      const [eventNo, , senderNo, typeNo, flags] = event;
      const key = keyOf(event, row.room_no);
      const sender = senders.get(senderNo) ?? '';
      if (candidates.has(key) || ignored.has(sender)) continue;
      candidates.set(key, { eventNo, room, type: types.get(typeNo) ?? '', sender, flags });
    }
  }
  return { candidates, keyOf };
}

function mayCount(
  session: Session,
  row: CountableRow,
  [, anchor, senderNo, , , thread, redacted]: UncountedEvent,
): boolean {
  return senderNo !== session.reader.userNo && !redacted && anchor > markOf(row, thread);
}

function markOf({ marks }: CountableRow, thread: string): number {
  return Object.hasOwn(marks, thread) ? (marks[thread] ?? 0) : 0;
}

/** Goes on from the earlier count. Who writes has read what stands above, in the same thread. */
function countRoom(
  session: Session,
  { row, before }: RoomAt,
  countOf: (event: UncountedEvent, roomNo: number) => UnreadCount | undefined,
): RoomUnread {
  const unread = before === undefined ? parseCounts(row.counts) : new Map(before.unread);
  for (const event of row.events) {
    const [, , senderNo, , flags, thread] = event;
    if (senderNo === session.reader.userNo) {
      if ((flags & EVENT_FLAGS.state) === 0) unread.delete(thread);
      continue;
    }
    const more = mayCount(session, row, event) ? countOf(event, row.room_no) : undefined;
    if (more !== undefined) unread.set(thread, sumOf([unread.get(thread) ?? NONE, more]));
  }
  return unread;
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
  return row.events.length === limit && limit < MOST_EVENTS;
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
    const since = (before?.sinceStored ?? 0) + row.events.length;
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

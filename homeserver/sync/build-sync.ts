import { selectRoomsWithUnread, type MembershipRow } from '../storage/sync-reads/select-changes.ts';
import type { ReceiptRow } from '../storage/sync-reads/select-streams.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { FoundChanges } from './changes-memory.ts';
import type { SyncContext } from './context.ts';
import { newestOf } from './event-matcher.ts';
import { giveTimelineEvents } from './give-events.ts';
import type { SyncedSpan } from './lazy-members.ts';
import { membershipOf } from './membership.ts';
import { jsonMembers, jsonString } from './json-members.ts';
import type { JsonText } from './json-text.ts';
import type { Interest } from './recent-commits.ts';
import { hasNews, roomJson } from './room-json.ts';
import type { RoomParts } from './room-json.ts';
import { openSession } from './session.ts';
import type { Session } from './session.ts';
import { accountDataJson, pushRulesJson, readDataOfNewRooms, sortAccountData } from './streams/account-data.ts';
import type { AccountData } from './streams/account-data.ts';
import { givePresence, readPresence } from './streams/presence.ts';
import type { PresenceNews, PresenceSince } from './streams/presence.ts';
import { readReceiptsOfNewRooms, receiptEventsJson } from './streams/receipts.ts';
import type { ReceiptsByRoom } from './streams/receipts.ts';
import { planQuietRooms, planRooms, readChanges } from './streams/rooms.ts';
import type { PlanInput, RoomPlan, SyncPlan } from './streams/rooms.ts';
import { readState } from './streams/state.ts';
import { readStrippedState } from './streams/stripped-state.ts';
import { needsSummary, readHeroes } from './streams/summary.ts';
import { readWindows } from './streams/timeline.ts';
import type { TimelineWindow } from './streams/timeline.ts';
import { readUnread } from './streams/unread.ts';
import type { ReadAt } from './streams/unread.ts';
import type { SyncRequest } from './sync-request.ts';
import { weightOf } from './sync-weight.ts';
import type { TypingRoomUsers } from './typing.ts';
import type { RoomUnread } from './unread-memory.ts';

/** What one look at the database found. */
export interface SyncParts {
  /** Everything up to this position is in it. */
  readonly head: number;
  readonly interest: Interest;
  /** What `join` and `leave` are made of, and the invites of `invite`. */
  readonly rooms: readonly RoomParts[];
  readonly invited: readonly MembershipRow[];
  readonly join: readonly (readonly [roomId: string, json: JsonText])[];
  readonly leave: readonly (readonly [roomId: string, json: JsonText])[];
  readonly invite: readonly (readonly [roomId: string, json: string])[];
  readonly knock: readonly (readonly [roomId: string, json: string])[];
  readonly accountData: readonly string[];
  readonly presence: PresenceNews;
}

/** What has no position, as it stands at one moment. */
export interface VolatileNews {
  readonly typing: readonly TypingRoomUsers[];
  /** Undefined: an initial sync. */
  readonly presenceSince: PresenceSince | undefined;
}

/**
 * Finds everything that is new for the reader in a fixed number of queries: one for what changed, one for timelines, and where
 * they have to say something one for each kind of thing (state, members, invites).
 */
export async function buildSync(
  ctx: SyncContext,
  request: SyncRequest,
  volatileNews: (interest: Interest) => VolatileNews,
): Promise<SyncParts> {
  const session = await openSession(ctx, request.reader);
  const { generation } = ctx.sync.unread;
  const { changes, interest } = await readChanges(session, request);
  const since = request.since?.position;
  // A token above the head belongs to a tail that was lost in a failover: nothing is new until positions pass it.
  const head = Math.max(changes.head, since ?? 0);
  const news = volatileNews(interest);
  const input = { since, head, fullState: request.fullState, filter: request.filter };
  return { head, interest, ...(await readNews(session, request, { input, changes, generation, ...news })) };
}

type News = Omit<SyncParts, 'head' | 'interest'>;

interface Found extends VolatileNews {
  readonly input: PlanInput;
  readonly changes: FoundChanges['changes'];
  /** Of the memory of unread counts, from before anything was read. */
  readonly generation: number;
}

async function readNews(session: Session, request: SyncRequest, found: Found): Promise<News> {
  const { input, changes, typing, presenceSince, generation } = found;
  const accountData = sortAccountData(changes.account_data, input.since);
  const plan = await planRooms(session, changes.rooms, input);
  await request.reader.large?.take(weightOf(plan, timelineLimit(session, request), request.filter));
  const fresh = plan.rooms.filter((room) => room.isNew && input.since !== undefined).map((room) => room.row.room_no);
  const [stripped, newReceipts, newData, rules, recounted] = await Promise.all([
    readStrippedState(
      session,
      accountData.blocksInvites ? plan.knocked : [...plan.invited, ...plan.knocked],
      accountData.ignored,
    ),
    readReceiptsOfNewRooms(session, fresh),
    readDataOfNewRooms(session, fresh),
    newRules(session, changes.rules_position, request),
    recountedRooms(session, input, Math.max(changes.rules_position, accountData.ignoredPosition)),
  ]);
  const byRoom: RoomStreams = {
    receipts: new Map([...Map.groupBy(changes.receipts, (row) => row.room_no), ...newReceipts]),
    data: new Map([...accountData.byRoom, ...newData]),
    typing: new Map(typing.map((room) => [room.roomNo, room.userIds])),
    ignored: accountData.ignored,
    unreadAt: {
      head: changes.head,
      ignored: { users: accountData.ignored, position: accountData.ignoredPosition },
      rulesPosition: changes.rules_position,
      generation,
    },
    recounted: new Set([...recounted, ...readRooms(changes.receipts, input, request)]),
  };
  const rooms = await tellRooms(session, request, { input, plan, byRoom });
  const presence =
    presenceSince === undefined
      ? await givePresence(session.ctx, request, changes)
      : await readPresence(session.ctx, request, {
          ...presenceSince,
          rooms: fresh,
          userNos: newMembers(session, rooms),
        });
  const told = rooms.filter(hasNews);
  return {
    rooms: told,
    invited: plan.invited.filter((row) => stripped.has(row.room_no)),
    join: sectionOf(told, 'join'),
    leave: sectionOf(told, 'leave'),
    invite: strippedSection(plan.invited, stripped, 'invite_state'),
    knock: strippedSection(plan.knocked, stripped, 'knock_state'),
    accountData: newestOf(
      [...rules, ...accountDataJson(accountData.global, request.filter.accountData)],
      request.filter.accountData,
    ),
    presence,
  };
}

/** Numbers of those who have joined a room that the client knows: what was told of them before is none of its business. */
function newMembers(session: Session, rooms: readonly RoomParts[]): number[] {
  const known = rooms.filter(({ plan }) => plan.section === 'join' && !plan.isNew);
  const members = known.flatMap(({ window }) =>
    window.events.filter((row) => row.type_no === session.numbers.memberType && row.state_key_no !== null),
  );
  return [...new Set(members.filter((row) => membershipOf(row.json) === 'join').map((row) => row.sender_no))];
}

interface RoomStreams {
  readonly receipts: ReceiptsByRoom;
  readonly data: AccountData['byRoom'];
  readonly typing: ReadonlyMap<number, readonly string[]>;
  readonly ignored: ReadonlySet<string>;
  readonly unreadAt: ReadAt;
  /** Rooms whose unread notifications may be others although nothing happened in them. */
  readonly recounted: ReadonlySet<number>;
}

type Heroes = Awaited<ReturnType<typeof readHeroes>>;

interface RoomsInput {
  readonly input: PlanInput;
  readonly plan: SyncPlan;
  readonly byRoom: RoomStreams;
}

async function tellRooms(session: Session, request: SyncRequest, rooms: RoomsInput): Promise<RoomParts[]> {
  const { input, plan, byRoom } = rooms;
  const [windows, quiet] = await Promise.all([
    readTimelines(session, request, rooms),
    planQuietRooms(session, quietRooms(plan, byRoom), input),
  ]);
  const told = [...plan.rooms, ...quiet].map((room) => ({
    plan: room,
    window: windows.get(room.row.room_no) ?? emptyWindow(room),
  }));
  const standings = new Map(told.map((room) => [room.plan.row.room_no, room.plan.standing]));
  const changed = told.filter(({ plan: room, window }) => needsSummary(session, room, window)).map((room) => room.plan);
  const events = told.flatMap(({ window }) => window.events);
  // Clients aggregate what they have been given without a gap themselves. Spec: "Aggregations of child events".
  const gaps = new Set(told.filter(({ window }) => window.limited).map(({ plan: room }) => room.row.room_no));
  const bundled = (row: TimelineRow) => gaps.has(row.room_no);
  const { federationFormat } = request.filter;
  const joined = told.filter(({ plan: room }) => room.section === 'join');
  const stateOptions = {
    filter: request.filter,
    after: request.useStateAfter,
    standings,
    span: spanOf(request),
    head: input.head,
    apart: request.eventsApart === true,
  };
  const readStateOf = (heroes: Heroes) => {
    const stateRooms = told.map((room) => ({ ...room, heroes: heroes.get(room.plan.row.room_no) ?? [] }));
    return readState(session, stateRooms, stateOptions);
  };
  const heroesRead = readHeroes(session, changed);
  const [texts, heroes, state, unread] = await Promise.all([
    giveTimelineEvents(session, events, standings, { withRoomId: false, bundled, federationFormat }),
    heroesRead,
    heroesRead.then(readStateOf),
    readUnread(
      session,
      joined.map(({ plan: room, window }) => ({ row: room.row, low: room.low, window })),
      byRoom.unreadAt,
    ),
  ]);
  return told.map(({ plan: room, window }) => ({
    plan: room,
    window,
    timeline: window.events.flatMap((row) => texts.get(row.event_no) ?? []),
    state: state.get(room.row.room_no) ?? [],
    stateIsAfter: request.useStateAfter,
    ephemeral: ephemeralOf(room, byRoom, request),
    accountData: roomData(room, byRoom, request),
    heroes: heroes.get(room.row.room_no),
    unread: unread.get(room.row.room_no) ?? new Map(),
    threadsApart: request.filter.threadCounts,
    isRecounted:
      byRoom.recounted.has(room.row.room_no) ||
      isCountedOtherwise(session, window, unread.get(room.row.room_no), byRoom),
  }));
}

/** Whether what the filter keeps from the timeline may have changed what is unread: the client would hear of it with the next event. */
function isCountedOtherwise(
  { reader, numbers }: Session,
  window: TimelineWindow,
  unread: RoomUnread | undefined,
  { ignored }: RoomStreams,
): boolean {
  if (unread === undefined || window.scanned.length === window.events.length) return false;
  const given = new Set(window.events);
  const isHeard = notIgnored(ignored);
  return window.scanned.some((row) => {
    if (given.has(row) || !isHeard(row)) return false;
    // Who writes has read what stands above, and a redacted event does not count.
    return unread.size > 0 || row.sender_no === reader.userNo || row.type_no === numbers.redactionType;
  });
}

function readTimelines(session: Session, request: SyncRequest, { plan, byRoom }: RoomsInput) {
  const timelines = new Set(
    plan.rooms.filter((room) => request.filter.timeline.matchesRoom(room.row.room_id)).map((room) => room.row.room_no),
  );
  const isHeard = notIgnored(byRoom.ignored);
  const ranges = plan.rooms.map(({ row, low, high }) => {
    return { roomNo: row.room_no, low, high, lastPosition: row.last_position };
  });
  return readWindows(session, ranges, {
    limit: timelineLimit(session, request),
    matcher: request.filter.timeline,
    standings: new Map(plan.rooms.map((room) => [room.row.room_no, room.standing])),
    wanted: (row) => timelines.has(row.room_no) && isHeard(row),
    history: false,
  });
}

/** Rooms without new events of which there is something else to tell. */
function quietRooms(plan: SyncPlan, byRoom: RoomStreams): number[] {
  const planned = new Set(plan.rooms.map((room) => room.row.room_no));
  const all = [...byRoom.receipts.keys(), ...byRoom.data.keys(), ...byRoom.typing.keys(), ...byRoom.recounted];
  return [...new Set(all)].filter((roomNo) => !planned.has(roomNo));
}

function emptyWindow(plan: RoomPlan): TimelineWindow {
  return { events: [], limited: false, start: plan.low, scanned: [] };
}

function timelineLimit(session: Session, request: SyncRequest): number {
  const { timelineLimit: usual, maxTimelineLimit } = session.ctx.config.sync;
  return Math.min(request.filter.timeline.limit ?? usual, maxTimelineLimit);
}

/** What the device has of lazily loaded members; only known when the chain of syncs began with this filter. */
function spanOf(request: SyncRequest): SyncedSpan | undefined {
  const { since } = request;
  return since?.began === undefined ? undefined : { began: since.began, since: since.position };
}

/** Spec: client-server API, "Ignoring Users": state events are given all the same. */
function notIgnored(ignored: ReadonlySet<string>): (row: TimelineRow) => boolean {
  if (ignored.size === 0) return () => true;
  return (row) => row.state_key_no !== null || !ignored.has(jsonString(jsonMembers(row.json).get('sender')) ?? '');
}

function ephemeralOf(plan: RoomPlan, streams: RoomStreams, request: SyncRequest): readonly string[] {
  const matcher = request.filter.ephemeral;
  if (plan.section !== 'join' || !matcher.matchesRoom(plan.row.room_id)) return [];
  const wants = (type: string) => matcher.all || matcher.matches({ type, sender: undefined, hasUrl: () => false });
  const receipts = streams.receipts.get(plan.row.room_no);
  const typing = streams.typing.get(plan.row.room_no);
  const given = [
    ...(receipts !== undefined && wants('m.receipt') ? receiptEventsJson(receipts) : []),
    ...(typing !== undefined && wants('m.typing')
      ? [JSON.stringify({ type: 'm.typing', content: { user_ids: typing } })]
      : []),
  ];
  return newestOf(given, matcher);
}

function roomData(plan: RoomPlan, streams: RoomStreams, request: SyncRequest): readonly string[] {
  const matcher = request.filter.roomAccountData;
  if (!matcher.matchesRoom(plan.row.room_id)) return [];
  return newestOf(accountDataJson(streams.data.get(plan.row.room_no) ?? [], matcher), matcher);
}

/** Other push rules, or other ignored users, count what is unread anew in every room. */
function recountedRooms(session: Session, { since }: PlanInput, changedAt: number): Promise<number[]> | number[] {
  if (since === undefined || changedAt <= since) return [];
  return selectRoomsWithUnread(session.db, session.reader.userNo);
}

/** Rooms in which the reader has read on, perhaps at another device: their counts are told whether or not receipts are wanted. */
function readRooms(receipts: readonly ReceiptRow[], { since }: PlanInput, { reader }: SyncRequest): number[] {
  if (since === undefined) return [];
  return receipts.filter((row) => row.user_id === reader.userId).map((row) => row.room_no);
}

/** An initial sync has the push rules among the global account data, one that goes on has them when they have changed. */
function newRules(session: Session, position: number, { since, filter }: SyncRequest): Promise<string[]> | string[] {
  if (since !== undefined && position <= since.position) return [];
  return pushRulesJson(session, position, filter.accountData);
}

function sectionOf(rooms: readonly RoomParts[], section: RoomPlan['section']): [string, JsonText][] {
  return rooms.filter((room) => room.plan.section === section).map((room) => [room.plan.row.room_id, roomJson(room)]);
}

function strippedSection(
  rows: readonly { room_no: number; room_id: string }[],
  stripped: ReadonlyMap<number, readonly string[]>,
  name: 'invite_state' | 'knock_state',
): [string, string][] {
  return rows.flatMap((row) => {
    const texts = stripped.get(row.room_no);
    return texts === undefined ? [] : [[row.room_id, `{"${name}":{"events":[${texts.join(',')}]}}`]];
  });
}

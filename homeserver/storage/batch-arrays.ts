import type { BatchInput, NewEvent, NewSnapshot, RoomWrite, StreamWrite } from './write-batch.ts';

/** Bits of `events.flags`. */
export const EVENT_FLAGS = {
  outlier: 1,
  rejected: 2,
  softFailed: 4,
  /** The stored JSON is the redacted form. */
  redacted: 8,
  state: 16,
  countable: 32,
  plain: 64,
  unmarkedText: 128,
} as const;

/** An event of the batch with its room; `at` counts from 1, as the batch function does. */
interface Placed {
  at: number;
  room: RoomWrite;
  event: NewEvent;
}

/** The arguments of the batch function after replica and batch number, in its order. */
export function batchArrays(input: BatchInput): unknown[] {
  const placed = placeEvents(input.rooms);
  return [
    ...roomArrays(input.rooms, placed),
    ...eventArrays(placed),
    ...branchArrays(input.rooms, placed),
    ...sideArrays(placed),
    ...stateArrays(input.rooms, placed),
    ...memberArrays(input.rooms, placed),
    ...snapshotArrays(input.rooms),
    JSON.stringify(input.streams.map(streamEntry)),
  ];
}

function placeEvents(rooms: readonly RoomWrite[]): Placed[] {
  const pairs = rooms.flatMap((room) => room.events.map((event) => ({ room, event })));
  return pairs.map((pair, i) => ({ ...pair, at: i + 1 }));
}

/** Arrays inside arrays travel as text. */
function int8Text(numbers: readonly number[]): string {
  return `{${numbers.join(',')}}`;
}

function roomArrays(rooms: readonly RoomWrite[], placed: readonly Placed[]): unknown[] {
  const last = new Map<RoomWrite, number>();
  const bump = new Map<RoomWrite, number>();
  for (const { room, event, at } of placed) {
    last.set(room, at);
    if (event.countable) bump.set(room, at);
  }
  return [
    rooms.map((room) => room.roomNo),
    rooms.map((room) => room.newRoom?.roomId ?? null),
    rooms.map((room) => room.newRoom?.version ?? 0),
    rooms.map((room) => room.expectedSnapshot),
    rooms.map((room) => room.newSnapshot),
    rooms.map((room) => int8Text(room.knownTips)),
    rooms.map((room) => room.exact),
    rooms.map((room) => int8Text(room.usedTips)),
    rooms.map((room) => int8Text(room.newTips)),
    rooms.map((room) => last.get(room) ?? 0),
    rooms.map((room) => bump.get(room) ?? 0),
  ];
}

function eventArrays(placed: readonly Placed[]): unknown[] {
  const column = (pick: (event: NewEvent) => unknown) => placed.map(({ event }) => pick(event));
  return [
    column((event) => event.eventNo),
    placed.map(({ room }) => room.roomNo),
    column((event) => event.senderNo),
    column((event) => event.stateBefore),
    column((event) => event.stateAfter),
    column((event) => event.originServerTs),
    column((event) => event.depth),
    column((event) => event.stateKeyNo ?? null),
    column((event) => event.typeNo),
    column(flagsOf),
    column((event) => event.eventId),
    column((event) => event.json),
  ];
}

function flagsOf(event: NewEvent): number {
  const state = event.stateKeyNo === undefined ? 0 : EVENT_FLAGS.state;
  const redacted = event.received?.redacted === true ? EVENT_FLAGS.redacted : 0;
  const kind = (event.countable ? EVENT_FLAGS.countable : 0) | (event.plain ? EVENT_FLAGS.plain : 0);
  return state | redacted | kind | (event.unmarkedText ? EVENT_FLAGS.unmarkedText : 0);
}

/** Events of other servers, and the state of the room where it is that of several branches. */
function branchArrays(rooms: readonly RoomWrite[], placed: readonly Placed[]): unknown[] {
  const received = placed.flatMap(({ at, event }) => (event.received ? [{ at, ...event.received }] : []));
  const merged = rooms.flatMap((room) => (room.merged ? [{ at: lastOf(room, placed), room }] : []));
  return [
    received.map(({ at }) => at),
    received.map(({ outlier }) => outlier),
    merged.map(({ at }) => at),
    merged.map(({ room }) => room.newSnapshot),
  ];
}

/** Place of the last event of the room, 0 if it has none here. */
function lastOf(room: RoomWrite, placed: readonly Placed[]): number {
  return placed.findLast((item) => item.room === room)?.at ?? 0;
}

/** Auth edges, relations, redactions and transactions: rows that only some events have. */
function sideArrays(placed: readonly Placed[]): unknown[] {
  // What was known without its state has its edges.
  const state = placed.filter(({ event }) => event.stateKeyNo !== undefined && event.received?.outlier !== true);
  const related = placed.flatMap(({ at, event }) => (event.relation ? [{ at, ...event.relation }] : []));
  const redacting = placed.flatMap(({ at, event }) => (event.redacts ? [{ at, ...event }] : []));
  const sent = placed.flatMap(({ at, event }) => (event.transaction ? [{ at, ...event.transaction }] : []));
  return [
    state.map(({ at }) => at),
    state.map(({ event }) => int8Text(event.authEvents)),
    related.map(({ at }) => at),
    related.map(({ relType }) => relType),
    related.map(({ parentId }) => parentId),
    related.map(({ key }) => key ?? null),
    redacting.map(({ at }) => at),
    redacting.map(({ redacts }) => redacts),
    redacting.map(({ redactsOwn }) => redactsOwn === true),
    sent.map(({ at }) => at),
    sent.map(({ deviceNo }) => deviceNo),
    sent.map(({ txnId }) => txnId),
  ];
}

/** The last change of each state key that is not a member's. */
function stateArrays(rooms: readonly RoomWrite[], placed: readonly Placed[]): unknown[] {
  const newest = new Map<string, Placed & { key: number }>();
  for (const item of placed) {
    const key = item.event.stateKeyNo;
    if (key === undefined || item.event.membership !== undefined || item.room.changes !== undefined) continue;
    newest.set(`${item.room.roomNo}/${key}`, { ...item, key });
  }
  const rows = [...newest.values()].map(({ room, key, event, at }) => ({ room, key, eventNo: event.eventNo, at }));
  for (const room of rooms) {
    const at = room.changes === undefined ? 0 : lastOf(room, placed);
    for (const [key, eventNo] of room.changes?.keys ?? []) rows.push({ room, key, eventNo, at });
  }
  return [
    rows.map(({ room }) => room.roomNo),
    rows.map(({ key }) => key),
    rows.map(({ eventNo }) => eventNo),
    rows.map(({ at }) => at),
  ];
}

/** The last membership of each user. */
function memberArrays(rooms: readonly RoomWrite[], placed: readonly Placed[]): unknown[] {
  const newest = new Map<string, Placed & { member: NonNullable<NewEvent['membership']> }>();
  for (const item of placed) {
    const member = item.room.changes === undefined ? item.event.membership : undefined;
    if (member !== undefined) newest.set(`${item.room.roomNo}/${member.userNo}`, { ...item, member });
  }
  const rows = [...newest.values()].map(({ room, event, at, member }) => ({
    room,
    eventNo: event.eventNo,
    at,
    member,
  }));
  for (const room of rooms) {
    const at = room.changes === undefined ? 0 : lastOf(room, placed);
    for (const [userNo, { eventNo, membership }] of room.changes?.members ?? []) {
      rows.push({ room, eventNo, at, member: { userNo, membership, flags: 0 } });
    }
  }
  return [
    rows.map(({ room }) => room.roomNo),
    rows.map(({ member }) => member.userNo),
    rows.map(({ eventNo }) => eventNo),
    rows.map(({ at }) => at),
    rows.map(({ member }) => member.membership),
    rows.map(({ member }) => member.flags),
  ];
}

function snapshotArrays(rooms: readonly RoomWrite[]): unknown[] {
  const snapshots = rooms.flatMap((room) => room.snapshots.map((row) => ({ roomNo: room.roomNo, row })));
  const column = (pick: (row: NewSnapshot) => unknown) => snapshots.map(({ row }) => pick(row));
  return [
    column((row) => row.snapshot),
    snapshots.map(({ roomNo }) => roomNo),
    column((row) => row.base),
    column((row) => row.ordinal),
    column((row) => int8Text(row.keys)),
    column((row) => int8Text(row.events)),
    column((row) => int8Text(row.members)),
    column((row) => int8Text(row.memberEvents)),
  ];
}

function streamEntry(write: StreamWrite): Record<string, string | number> {
  switch (write.kind) {
    case 'receipt': {
      const { roomNo: room, userNo: user, receiptKind: receipt, thread, eventNo: event, ts } = write;
      return { kind: 'receipt', room, user, receipt, thread, event, ts };
    }
    case 'account_data': {
      const { roomNo: room, userNo: user, type, content, expected } = write;
      return { kind: 'account_data', room, user, type, content, ...(expected !== undefined && { expected }) };
    }
    case 'push_rules': {
      const { userNo: user, rules, expected } = write;
      return { kind: 'push_rules', user, rules, expected };
    }
  }
}

import { authStateOf } from '../room/auth/auth-state.ts';
import type { CitedEvent } from '../room/auth/check-auth-events.ts';
import { judgeByAuthEvents } from '../room/auth/judge-event.ts';
import type { EventId } from '../room/identifiers.ts';
import { EVENT_FLAGS } from '../storage/batch-arrays.ts';
import { selectEventsById, type KnownEventRow } from '../storage/room-reads/select-events-by-id.ts';
import type { Store } from '../storage/store.ts';
import { insertAuthEdges, insertUnplacedEvents, type UnplacedEvent } from '../storage/tables/events.ts';
import { cited, createIdOf, knownById } from './judge-received.ts';
import { memberOf, receivedRow } from './received-row.ts';
import type { ResolvedRoom } from './resolve-state.ts';
import type { ReceivedPdu } from './room-receiver.ts';

/** Most events of one call. */
const MAX_OUTLIERS = 5000;
/** Events of one transaction, so that a batch that waits for one of them does not wait long. */
const CHUNK = 500;

/** See RoomReceiver. */
export async function storeOutliers(
  store: Store,
  room: ResolvedRoom,
  pdus: readonly ReceivedPdu[],
): Promise<readonly EventId[]> {
  if (pdus.length > MAX_OUTLIERS) throw new RangeError(`at most ${MAX_OUTLIERS} events can be stored at once`);
  const given = new Map(pdus.map((pdu) => [pdu.event.eventId, pdu]));
  const wanted = new Set([...given.keys(), ...pdus.flatMap((pdu) => needsOf(pdu, room))]);
  const known = knownById(await selectEventsById(store.db, [...wanted]));
  const fresh = [...given.values()].filter(({ event }) => !known.has(event.eventId));
  const { order, missing } = sortByNeeds(fresh, known, room);
  const rejected = judgeAll(order, known, room);
  await loadNames(store, order);
  for (let at = 0; at < order.length; at += CHUNK) {
    await storeChunk(store, room, { pdus: order.slice(at, at + CHUNK), rejected });
  }
  return missing;
}

/** In a few statements what the rows would each ask for. */
async function loadNames({ names }: Store, pdus: readonly ReceivedPdu[]): Promise<void> {
  await names.userNos(pdus.flatMap(({ event }) => [event.sender, memberOf(event) ?? event.sender]));
  await names.stateKeyNos(
    pdus.flatMap(({ event: { type, stateKey } }) => (stateKey === undefined ? [] : [[type, stateKey]])),
  );
}

type Known = ReadonlyMap<EventId, KnownEventRow>;

/** What an event is judged by: its auth events and, where those leave it out, the create event. */
function needsOf({ event }: ReceivedPdu, room: ResolvedRoom): readonly EventId[] {
  const createId = event.type === 'm.room.create' ? undefined : createIdOf(event, room);
  return createId === undefined ? event.authEvents : [...event.authEvents, createId];
}

/** Each after what it needs; what needs something that is neither stored nor given is left out. */
function sortByNeeds(
  pdus: readonly ReceivedPdu[],
  known: Known,
  room: ResolvedRoom,
): { order: ReceivedPdu[]; missing: EventId[] } {
  const given = new Set(pdus.map(({ event }) => event.eventId));
  const open = pdus.map((pdu) => ({ pdu, needs: new Set(needsOf(pdu, room).filter((id) => !known.has(id))) }));
  const waiting = new Map<EventId, typeof open>();
  for (const entry of open) {
    for (const id of entry.needs) {
      const others = waiting.get(id);
      if (others === undefined) waiting.set(id, [entry]);
      else others.push(entry);
    }
  }
  const order = open.filter(({ needs }) => needs.size === 0).map(({ pdu }) => pdu);
  // A list that grows while it is walked gives what was added, too.
  for (const { event } of order) {
    for (const { pdu, needs } of waiting.get(event.eventId) ?? []) {
      needs.delete(event.eventId);
      if (needs.size === 0) order.push(pdu);
    }
  }
  return { order, missing: [...waiting.keys()].filter((id) => !given.has(id)) };
}

/** Those that the rules refuse by what they cite, be it only that it was refused itself. */
function judgeAll(order: readonly ReceivedPdu[], known: Known, room: ResolvedRoom): ReadonlySet<EventId> {
  const rejected = new Set<EventId>();
  const judged = new Map<EventId, CitedEvent>();
  const find = (id: EventId) => judged.get(id) ?? cited(id, known, room);
  for (const { event } of order) {
    const createId = createIdOf(event, room);
    const evidence = {
      cited: event.authEvents.flatMap((id) => find(id) ?? []),
      create: createId === undefined ? undefined : find(createId),
    };
    const foreign = evidence.cited.length < event.authEvents.length;
    const isRejected = foreign || judgeByAuthEvents(event, evidence, room.rules).verdict === 'rejected';
    if (isRejected) rejected.add(event.eventId);
    judged.set(event.eventId, { event, rejected: isRejected });
  }
  return rejected;
}

interface Chunk {
  readonly pdus: readonly ReceivedPdu[];
  readonly rejected: ReadonlySet<EventId>;
}

async function storeChunk(store: Store, room: ResolvedRoom, { pdus, rejected }: Chunk): Promise<void> {
  const rows: UnplacedEvent[] = [];
  for (const pdu of pdus)
    rows.push(await outlierRow(store, room, { pdu, isRejected: rejected.has(pdu.event.eventId) }));
  // In one order, so that two replicas that store the same events never wait for each other.
  rows.sort((a, b) => (a.event.eventId < b.event.eventId ? -1 : 1));
  const edges = pdus.map(({ event }) => ({ eventId: event.eventId, authIds: event.authEvents }));
  await store.db.transaction(async (db) => {
    await insertUnplacedEvents(db, rows);
    await insertAuthEdges(db, edges);
  });
}

async function outlierRow(
  store: Store,
  room: ResolvedRoom,
  { pdu, isRejected }: { pdu: ReceivedPdu; isRejected: boolean },
): Promise<UnplacedEvent> {
  const eventNo = await store.numbers.nextEventNo();
  const nothing = { known: new Map<EventId, KnownEventRow>(), before: authStateOf([]), stateBefore: 0, stateAfter: 0 };
  const event = await receivedRow(store, pdu, { rules: room.rules, eventNo, ...nothing });
  const state = event.stateKeyNo === undefined ? 0 : EVENT_FLAGS.state;
  const verdict = isRejected ? EVENT_FLAGS.rejected : 0;
  const flags = EVENT_FLAGS.outlier | state | verdict | (pdu.redacted ? EVENT_FLAGS.redacted : 0);
  return { roomNo: room.roomNo, event, flags, edgesLater: true };
}

import type pg from 'pg';
import type { ReceivedPdu } from '../../homeserver/pipeline/room-receiver.ts';
import { authStateOf } from '../../homeserver/room/auth/auth-state.ts';
import { checkEvent } from '../../homeserver/room/auth/check-event.ts';
import type { RoomEvent } from '../../homeserver/room/event-format.ts';
import type { EventId } from '../../homeserver/room/identifiers.ts';
import { stateMapKey, type StateMap } from '../../homeserver/room/state-map.ts';
import type { Store } from '../../homeserver/storage/store.ts';
import type { RoomDag } from './room-dag.ts';
import { pduOf } from './stored-dag.ts';

export type Verdict = 'accepted' | 'soft_failed' | 'rejected';

/** The event as the pipeline takes it from another server. */
export function received(dag: RoomDag, event: RoomEvent): ReceivedPdu {
  return { event, json: JSON.stringify(pduOf(event, dag.rules)), redacted: false };
}

export function eventOf(dag: RoomDag, id: EventId): RoomEvent {
  const event = dag.events.get(id);
  if (event === undefined) throw new Error(`the room has no event ${id}`);
  return event;
}

/** Writes a room that holds nothing but its create event; gives its number. */
export async function beginRoom(store: Store, dag: RoomDag): Promise<number> {
  const create = eventOf(dag, dag.idOf('create'));
  const [roomNo, eventNo, snapshot] = await Promise.all([
    store.numbers.nextRoomNo(),
    store.numbers.nextEventNo(),
    store.numbers.nextSnapshot(),
  ]);
  const stateKeyNo = await store.names.stateKeyNo('m.room.create', '');
  const row = {
    eventNo,
    eventId: create.eventId,
    typeNo: await store.names.typeNo('m.room.create'),
    stateKeyNo,
    senderNo: await store.names.userNo(create.sender),
    depth: create.depth,
    originServerTs: create.originServerTs,
    stateBefore: 0,
    stateAfter: snapshot,
    countable: false,
    plain: true,
    unmarkedText: false,
    json: received(dag, create).json,
    authEvents: [],
  };
  const room = {
    roomNo,
    newRoom: { roomId: dag.roomId, version: Number(dag.rules.version) },
    expectedSnapshot: 0,
    newSnapshot: snapshot,
    knownTips: [],
    exact: false,
    usedTips: [],
    newTips: [eventNo],
    events: [row],
    snapshots: [
      { snapshot, base: 0, ordinal: 0, keys: [stateKeyNo], events: [eventNo], members: [], memberEvents: [] },
    ],
  };
  await store.batches.write({ rooms: [room], streams: [] });
  return roomNo;
}

/** Its events but the create event, each after its parents, in an order that `pick` (0 up to `n - 1`) decides. */
export function parentsFirst(dag: RoomDag, pick: (n: number) => number): RoomEvent[] {
  const waiting = [...dag.events.values()].filter((event) => event.prevEvents.length > 0);
  const done = new Set<EventId>([dag.idOf('create')]);
  const order: RoomEvent[] = [];
  while (waiting.length > 0) {
    const ready = waiting.filter((event) => event.prevEvents.every((id) => done.has(id)));
    const next = ready[pick(ready.length)];
    if (next === undefined) throw new Error('an event waits for one that the room does not have');
    waiting.splice(waiting.indexOf(next), 1);
    done.add(next.eventId);
    order.push(next);
  }
  return order;
}

/** A room by the rules alone: what becomes of events that come in one after the other. */
export class ModelRoom {
  readonly verdicts = new Map<EventId, Verdict>();
  readonly #dag: RoomDag;
  readonly #after = new Map<EventId, StateMap>();
  tips: EventId[];
  state: StateMap;

  constructor(dag: RoomDag) {
    this.#dag = dag;
    const create = dag.idOf('create');
    this.state = dag.stateAfter('create');
    this.#after.set(create, this.state);
    this.tips = [create];
    this.verdicts.set(create, 'accepted');
  }

  /** Takes the event in by the rules; `verdict`: as somebody else has judged it. */
  receive(event: RoomEvent, verdict: Verdict = this.judge(event)): void {
    this.verdicts.set(event.eventId, verdict);
    const before = this.before(event);
    const { type, stateKey, eventId } = event;
    const changes = stateKey !== undefined && verdict !== 'rejected';
    this.#after.set(eventId, changes ? new Map([...before, [stateMapKey(type, stateKey), eventId]]) : before);
    if (verdict !== 'accepted') return;
    const covered = this.#covered(event);
    this.tips = [...this.tips.filter((id) => !covered.has(id)), eventId];
    this.state = this.#resolved(this.tips);
  }

  judge(event: RoomEvent): Verdict {
    const { rules, events } = this.#dag;
    if (event.authEvents.some((id) => this.verdicts.get(id) === 'rejected')) return 'rejected';
    const cited = authStateOf(event.authEvents.flatMap((id) => events.get(id) ?? []));
    const create = rules.createInAuthEvents ? undefined : events.get(this.#dag.idOf('create'));
    const byCited = {
      get: (type: string, key: string) =>
        type === 'm.room.create' ? (create ?? cited.get(type, key)) : cited.get(type, key),
    };
    if (!checkEvent(event, byCited, rules).allowed) return 'rejected';
    if (!checkEvent(event, this.#authState(this.before(event)), rules).allowed) return 'rejected';
    return checkEvent(event, this.#authState(this.state), rules).allowed ? 'accepted' : 'soft_failed';
  }

  before(event: RoomEvent): StateMap {
    return this.#resolved(event.prevEvents);
  }

  /** The state that `tips` make together. */
  stateOf(tips: readonly EventId[]): StateMap {
    return this.#resolved(tips);
  }

  #resolved(ids: readonly EventId[]): StateMap {
    const rejected = new Set([...this.verdicts].filter(([, verdict]) => verdict === 'rejected').map(([id]) => id));
    return this.#dag.resolve(
      ids.map((id) => this.#after.get(id) ?? new Map<string, EventId>()),
      rejected,
    );
  }

  #authState(state: StateMap) {
    return authStateOf([...state.values()].flatMap((id) => this.#dag.events.get(id) ?? []));
  }

  /** Its parents, and through refused ones theirs. */
  #covered(event: RoomEvent): Set<EventId> {
    const covered = new Set<EventId>();
    const walk = (ids: readonly EventId[]) => {
      for (const id of ids) {
        if (covered.has(id)) continue;
        covered.add(id);
        if (this.verdicts.get(id) !== 'accepted') walk(this.#dag.events.get(id)?.prevEvents ?? []);
      }
    };
    walk(event.prevEvents);
    return covered;
  }
}

/** A room as the tables have it. */
export interface StoredRoom {
  readonly tips: readonly string[];
  /** By `stateMapKey`; from current_state and memberships. */
  readonly state: ReadonlyMap<string, string>;
  readonly verdicts: ReadonlyMap<string, Verdict | 'outlier'>;
  readonly joined: number;
  readonly invited: number;
  /** Ids in the order of the stream. */
  readonly timeline: readonly string[];
  /** Joined users by server. */
  readonly servers: ReadonlyMap<string, number>;
}

const STATE = `
select t.type, k.state_key, e.event_id from current_state c
join state_keys k on k.state_key_no = c.state_key_no join event_types t on t.type_no = k.type_no
join events e on e.event_no = c.event_no where c.room_no = $1
union all
select 'm.room.member', u.user_id, e.event_id from memberships m
join users u on u.user_no = m.user_no join events e on e.event_no = m.event_no where m.room_no = $1 and m.membership <> 0`;
const EVENTS = `
select e.event_id, e.position::int4, e.flags, e.event_no = any(r.tips) as tip from events e join rooms r on r.room_no = e.room_no
where e.room_no = $1 order by e.position nulls last`;
const SERVERS = `select s.name, r.joined from room_servers r join servers s on s.server_no = r.server_no where r.room_no = $1`;

export async function storedRoom(client: pg.Client, roomNo: number): Promise<StoredRoom> {
  const state = await client.query<{ type: string; state_key: string; event_id: string }>(STATE, [roomNo]);
  const events = await client.query<{ event_id: string; position: number | null; flags: number; tip: boolean }>(
    EVENTS,
    [roomNo],
  );
  const room = await client.query<{ joined: number; invited: number }>(
    'select joined, invited from rooms where room_no = $1',
    [roomNo],
  );
  const servers = await client.query<{ name: string; joined: number }>(SERVERS, [roomNo]);
  return {
    tips: events.rows.filter((row) => row.tip).map((row) => row.event_id),
    state: new Map(state.rows.map((row) => [stateMapKey(row.type, row.state_key), row.event_id])),
    verdicts: new Map(events.rows.map((row) => [row.event_id, verdictOf(row.flags)])),
    joined: room.rows[0]?.joined ?? -1,
    invited: room.rows[0]?.invited ?? -1,
    timeline: events.rows.filter((row) => row.position !== null).map((row) => row.event_id),
    servers: new Map(servers.rows.map((row) => [row.name, row.joined])),
  };
}

function verdictOf(flags: number): Verdict | 'outlier' {
  if ((flags & 1) !== 0) return 'outlier';
  if ((flags & 2) !== 0) return 'rejected';
  return (flags & 4) === 0 ? 'accepted' : 'soft_failed';
}

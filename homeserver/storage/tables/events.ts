/**
 * events: a row is an event. Those of timelines are written by the batch function alone, which gives them their positions; the
 * statement here is for those that are in none. Read by nearly everything. Grows with every event; purging a room deletes them.
 */
import type { Queryable } from '../database.ts';
import type { NewEvent } from '../write-batch.ts';

/** An event that gets no position: `flags` (bits of `EVENT_FLAGS`) say why. */
export interface UnplacedEvent {
  readonly roomNo: number;
  readonly event: Omit<NewEvent, 'transaction' | 'membership' | 'relation' | 'received'>;
  readonly flags: number;
  /** Its `authEvents` are not known yet: the caller goes on to `insertAuthEdges` in the same transaction. */
  readonly edgesLater?: true;
}

// Whoever comes first decides what an event is; only one that was known without its state is still to be judged.
const INSERT = `
with given as (
  select * from unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int4[],
    $10::int4[], $11::text[], $12::text[], $13::text[])
    g (event_no, room_no, sender_no, state_before, state_after, ts, depth, state_key_no, type_no, flags, event_id, json, auth)
), written as (
  insert into events as e (event_no, room_no, sender_no, state_before, state_after, ts, depth, state_key_no, type_no, flags,
    event_id, json)
  select event_no, room_no, sender_no, state_before, state_after, ts, depth, state_key_no, type_no, flags, event_id, json from given
  on conflict (event_id) do update set state_before = excluded.state_before, state_after = excluded.state_after,
    flags = excluded.flags, json = excluded.json
  where e.flags & 1 <> 0 and excluded.flags & 1 = 0
  returning e.event_no, e.event_id
), auth as (
  insert into event_auth (event_no, auth)
  select w.event_no, g.auth::int8[] from written w join given g on g.event_id = w.event_id
  where g.state_key_no is not null and g.auth is not null
  on conflict (event_no) do nothing
)
select event_id from written`;

/** Stores events that get no position; gives back the ids of those that were not stored as such before. */
export async function insertUnplacedEvents(db: Queryable, events: readonly UnplacedEvent[]): Promise<Set<string>> {
  const column = (pick: (item: UnplacedEvent) => unknown) => events.map(pick);
  const values = [
    column(({ event }) => event.eventNo),
    column(({ roomNo }) => roomNo),
    column(({ event }) => event.senderNo),
    column(({ event }) => event.stateBefore),
    column(({ event }) => event.stateAfter),
    column(({ event }) => event.originServerTs),
    column(({ event }) => event.depth),
    column(({ event }) => event.stateKeyNo ?? null),
    column(({ event }) => event.typeNo),
    column(({ flags }) => flags),
    column(({ event }) => event.eventId),
    column(({ event }) => event.json),
    column(({ event, edgesLater }) => (edgesLater ? null : `{${event.authEvents.join(',')}}`)),
  ];
  const rows = await db.query<{ event_id: string }>({ name: 'events_insert_unplaced', text: INSERT, values });
  return new Set(rows.map((row) => row.event_id));
}

// Looked up once all rows are there: another replica may have given one of them its number.
const EDGES = `
insert into event_auth (event_no, auth)
select e.event_no, coalesce(a.auth, '{}')
from unnest($1::text[]) w (event_id) join events e on e.event_id = w.event_id
left join (
  select p.event_id, array_agg(x.event_no) as auth
  from unnest($2::text[], $3::text[]) p (event_id, auth_id) join events x on x.event_id = p.auth_id group by p.event_id
) a on a.event_id = w.event_id
where e.state_key_no is not null
on conflict (event_no) do nothing`;

/** The auth events of an event, by id; all of them are stored. */
export interface AuthEdges {
  readonly eventId: string;
  readonly authIds: readonly string[];
}

/** Stores the auth edges of state events; those that are there already stay. */
export async function insertAuthEdges(db: Queryable, events: readonly AuthEdges[]): Promise<void> {
  const pairs = events.flatMap(({ eventId, authIds }) => authIds.map((authId) => ({ eventId, authId })));
  const values = [
    events.map(({ eventId }) => eventId),
    pairs.map(({ eventId }) => eventId),
    pairs.map(({ authId }) => authId),
  ];
  await db.query({ name: 'event_auth_insert_edges', text: EDGES, values });
}

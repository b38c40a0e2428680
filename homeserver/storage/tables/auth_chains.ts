/**
 * auth_chains: a row is the place of a state event in the chains that cover a room's auth events. Written by the pipeline
 * before it resolves states that need it, outside the lock of batches, and never changed; read by it alone. At most one
 * row a state event; purging a room deletes them.
 */
import type { ChainPoint, ChainRange, UncoveredEvent } from '../../room/state-resolution/chain-cover.ts';
import type { Queryable } from '../database.ts';

const LOCK = `select pg_advisory_xact_lock(7004, hashint8($1))`;

/** Until the transaction ends, nobody else gives places to events of that room. */
export async function lockAuthChains(db: Queryable, roomNo: number): Promise<void> {
  await db.query({ name: 'auth_chains_lock', text: LOCK, values: [roomNo] });
}

// Walks down to what has a place already and no further: each event is walked over once in its life.
const UNCOVERED = `
with recursive uncovered(event_no) as (
  select w.event_no from unnest($1::int8[]) w (event_no)
  where not exists (select from auth_chains c where c.event_no = w.event_no)
  union
  select a.event_no from uncovered u join event_auth e on e.event_no = u.event_no cross join unnest(e.auth) a (event_no)
  where not exists (select from auth_chains c where c.event_no = a.event_no)
)
select u.event_no, coalesce(e.auth, '{}') as auth from uncovered u left join event_auth e on e.event_no = u.event_no`;

/** Those of the events, and of all that they build on, that have no place yet. */
export async function selectUncoveredEvents(db: Queryable, eventNos: readonly number[]): Promise<UncoveredEvent[]> {
  const rows = await db.query<{ event_no: number; auth: number[] }>({
    name: 'auth_chains_select_uncovered',
    text: UNCOVERED,
    values: [eventNos],
  });
  return rows.map(({ event_no: eventNo, auth }) => ({ eventNo, auth }));
}

const POINTS = `select event_no, chain, seq from auth_chains where event_no = any($1::int8[])`;

/** Places by event number; events without one are left out. */
export async function selectAuthChainPoints(
  db: Queryable,
  eventNos: readonly number[],
): Promise<Map<number, ChainPoint>> {
  const rows = await db.query<{ event_no: number; chain: number; seq: number }>({
    name: 'auth_chains_select_points',
    text: POINTS,
    values: [eventNos],
  });
  return new Map(rows.map(({ event_no, chain, seq }) => [event_no, { chain, seq }]));
}

const ENDS = `select chain, max(seq) as seq from auth_chains where chain = any($1::int8[]) group by chain`;

/** The last place of each of the chains. */
export async function selectAuthChainEnds(db: Queryable, chains: readonly number[]): Promise<Map<number, number>> {
  const rows = await db.query<{ chain: number; seq: number }>({
    name: 'auth_chains_select_ends',
    text: ENDS,
    values: [chains],
  });
  return new Map(rows.map(({ chain, seq }) => [chain, seq]));
}

const IN_RANGES = `
select c.event_no from unnest($1::int8[], $2::int4[], $3::int4[]) w (chain, after, up_to)
join auth_chains c on c.chain = w.chain and c.seq > w.after and c.seq <= w.up_to
limit $4`;

/** The events of those stretches of chains, at most `limit`. */
export async function selectEventsInRanges(
  db: Queryable,
  ranges: readonly ChainRange[],
  limit: number,
): Promise<number[]> {
  if (ranges.length === 0) return [];
  const rows = await db.query<{ event_no: number }>({
    name: 'auth_chains_select_in_ranges',
    text: IN_RANGES,
    values: [ranges.map(({ chain }) => chain), ranges.map(({ after }) => after), ranges.map(({ upTo }) => upTo), limit],
  });
  return rows.map((row) => row.event_no);
}

const INSERT = `
insert into auth_chains (event_no, chain, seq) select * from unnest($1::int8[], $2::int8[], $3::int4[])`;

/** Only under `lockAuthChains`. */
export async function insertAuthChainPoints(db: Queryable, points: ReadonlyMap<number, ChainPoint>): Promise<void> {
  const places = [...points.values()];
  await db.query({
    name: 'auth_chains_insert',
    text: INSERT,
    values: [[...points.keys()], places.map(({ chain }) => chain), places.map(({ seq }) => seq)],
  });
}

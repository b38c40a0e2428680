import type { Queryable } from '../database.ts';

const AT = `
select w.room_no, coalesce(s.snapshot, e.state_after) as snapshot
from unnest($1::int8[]) as w(room_no)
cross join lateral (
  select event_no, state_after from events
  where room_no = w.room_no and (anchor, position) <= ($2::int8, $3::int8) and position > 0
  order by anchor desc, position desc limit 1
) e
left join merged_states s on s.event_no = e.event_no`;

/** The snapshot of each room's state at a point of the order; rooms that had no event yet are missing. */
export function selectSnapshotsAt(
  db: Queryable,
  rooms: readonly number[],
  point: { anchor: number; position: number },
): Promise<{ room_no: number; snapshot: number }[]> {
  return db.query({ name: 'events_select_snapshots_at', text: AT, values: [rooms, point.anchor, point.position] });
}

/** One entry of the state at a snapshot: what it is state of (state key or user number) and which event holds. */
export interface StateEntryRow {
  snapshot: number;
  key: number;
  event_no: number;
}

/** Entries to look up: pairs of a snapshot and a key, in two columns. */
export interface StateWants {
  snapshots: readonly number[];
  keys: readonly number[];
}

// The chain has at most about 21 links; the nearest one that names the key decides.
const KEYS = `
with recursive chain(want, base, hop, keys, events) as (
  select s.snapshot, s.base, 0, s.keys, s.events from snapshots s where s.snapshot = any($1::int8[])
  union all
  select c.want, s.base, c.hop + 1, s.keys, s.events from chain c join snapshots s on s.snapshot = c.base
), found as (
  select distinct on (c.want, k.key) c.want, k.key, c.events[array_position(c.keys, k.key)] as event_no
  from chain c join unnest($1::int8[], $2::int8[]) as k(want, key) on k.want = c.want
  where k.key = any(c.keys)
  order by c.want, k.key, c.hop
)
select want as snapshot, key, event_no from found where event_no <> 0`;

/** Entries of the state without members, by state key number. Absent ones are missing. */
export function selectStateKeysAt(db: Queryable, wants: StateWants): Promise<StateEntryRow[]> {
  return db.query({ name: 'snapshots_select_keys', text: KEYS, values: [wants.snapshots, wants.keys] });
}

const MEMBERS = `
with recursive chain(want, base, hop, members, events) as (
  select s.snapshot, s.base, 0, s.members, s.member_events from snapshots s where s.snapshot = any($1::int8[])
  union all
  select c.want, s.base, c.hop + 1, s.members, s.member_events from chain c join snapshots s on s.snapshot = c.base
), found as (
  select distinct on (c.want, k.key) c.want, k.key, c.events[array_position(c.members, k.key)] as event_no
  from chain c join unnest($1::int8[], $2::int8[]) as k(want, key) on k.want = c.want
  where k.key = any(c.members)
  order by c.want, k.key, c.hop
)
select want as snapshot, key, event_no from found where event_no <> 0`;

/** Membership events in the state at snapshots, by user number. Absent ones are missing. */
export function selectMembersAt(db: Queryable, wants: StateWants): Promise<StateEntryRow[]> {
  return db.query({ name: 'snapshots_select_members', text: MEMBERS, values: [wants.snapshots, wants.keys] });
}

export interface SnapshotLinkRow {
  want: number;
  hop: number;
  keys: number[];
  events: number[];
  members: number[];
  member_events: number[];
}

const CHAINS = `
with recursive chain(want, base, hop, keys, events, members, member_events) as (
  select s.snapshot, s.base, 0, s.keys, s.events, s.members, s.member_events from snapshots s where s.snapshot = any($1::int8[])
  union all
  select c.want, s.base, c.hop + 1, s.keys, s.events, s.members, s.member_events
  from chain c join snapshots s on s.snapshot = c.base
)
select want, hop, keys, events,
  case when $2 then members else '{}' end as members, case when $2 then member_events else '{}' end as member_events
from chain order by want, hop`;

/** The links of each snapshot's chain, nearest first; members only when asked for. */
export function selectChains(
  db: Queryable,
  snapshots: readonly number[],
  members: boolean,
): Promise<SnapshotLinkRow[]> {
  return db.query({ name: 'snapshots_select_chains', text: CHAINS, values: [snapshots, members] });
}

const CURRENT = `
select room_no, event_no from current_state where room_no = any($1::int8[]) and state_key_no = any($2::int8[])`;

/** The events that hold for the named keys in the current state of rooms, for stripped state. */
export function selectCurrentKeys(
  db: Queryable,
  rooms: readonly number[],
  keys: readonly number[],
): Promise<{ room_no: number; event_no: number }[]> {
  return db.query({ name: 'current_state_select_keys', text: CURRENT, values: [rooms, keys] });
}

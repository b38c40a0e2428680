import type { Queryable } from '../database.ts';
import type { TimelineRow } from './select-timeline.ts';

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

/** `found`: which event each snapshot has for each key. The chain has at most about 21 links; the nearest one that names the key decides. */
const foundIn = (keys: 'keys' | 'members', events: 'events' | 'member_events') => `
with recursive chain(want, base, hop, keys, events) as (
  select s.snapshot, s.base, 0, s.${keys}, s.${events} from snapshots s where s.snapshot = any($1::int8[])
  union all
  select c.want, s.base, c.hop + 1, s.${keys}, s.${events} from chain c join snapshots s on s.snapshot = c.base
), found as (
  select distinct on (c.want, k.key) c.want, k.key, c.events[array_position(c.keys, k.key)] as event_no
  from chain c join unnest($1::int8[], $2::int8[]) as k(want, key) on k.want = c.want
  where k.key = any(c.keys)
  order by c.want, k.key, c.hop
)`;
const FOUND_MEMBERS = foundIn('members', 'member_events');

const KEYS = `${foundIn('keys', 'events')}
select want as snapshot, key, event_no from found where event_no <> 0`;

/** Entries of the state without members, by state key number. Absent ones are missing. */
export function selectStateKeysAt(db: Queryable, wants: StateWants): Promise<StateEntryRow[]> {
  return db.query({ name: 'snapshots_select_keys', text: KEYS, values: [wants.snapshots, wants.keys] });
}

const MEMBERS = `${FOUND_MEMBERS}
select want as snapshot, key, event_no from found where event_no <> 0`;

/** Membership events in the state at snapshots, by user number. Absent ones are missing. */
export function selectMembersAt(db: Queryable, wants: StateWants): Promise<StateEntryRow[]> {
  return db.query({ name: 'snapshots_select_members', text: MEMBERS, values: [wants.snapshots, wants.keys] });
}

/** A membership event with the snapshot at which it holds, and the user that it is about. */
export interface MemberAtRow extends TimelineRow {
  snapshot: number;
  key: number;
}

const MEMBER_EVENTS = `${FOUND_MEMBERS}
select f.want as snapshot, f.key, e.room_no, e.event_no, coalesce(e.anchor, 0) as anchor, coalesce(e.position, 0) as position,
  e.sender_no, e.type_no, e.state_key_no, e.state_before, e.state_after, e.ts, e.flags, e.event_id, e.json,
  b.event_id as because_id, b.json as because_json, b.ts as because_ts, null as txn_id, null as txn_device, false as related
from found f
join events e on e.event_no = f.event_no
left join redactions x on x.redacted_event_id = e.event_id
left join events b on b.event_no = x.event_no`;

/** The same with the events themselves. */
export function selectMemberEventsAt(db: Queryable, wants: StateWants): Promise<MemberAtRow[]> {
  return db.query({
    name: 'snapshots_select_member_events',
    text: MEMBER_EVENTS,
    values: [wants.snapshots, wants.keys],
  });
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

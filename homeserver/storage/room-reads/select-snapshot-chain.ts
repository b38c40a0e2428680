import type { Queryable } from '../database.ts';
import type { SnapshotChain } from '../snapshot-delta.ts';

interface Row {
  snapshot: number;
  base: number;
  ordinal: number;
  keys: number[];
  events: number[];
  members: number[];
  member_events: number[];
}

const TEXT = `
with recursive chain(hop, snapshot, base, ordinal, keys, events, members, member_events) as (
  select 0, s.snapshot, s.base, s.ordinal, s.keys, s.events, s.members, s.member_events
  from snapshots s where s.snapshot = $1
  union all
  select c.hop + 1, s.snapshot, s.base, s.ordinal, s.keys, s.events, s.members, s.member_events
  from chain c join snapshots s on s.snapshot = c.base
)
select snapshot, base, ordinal, keys, events, members, member_events from chain order by hop`;

/** A snapshot with all its bases, newest first; empty when there is no such snapshot. */
export async function selectSnapshotChain(db: Queryable, snapshot: number): Promise<SnapshotChain> {
  const rows = await db.query<Row>({ name: 'snapshots_select_chain', text: TEXT, values: [snapshot] });
  return rows.map(({ member_events: memberEvents, ...row }) => ({ ...row, memberEvents }));
}

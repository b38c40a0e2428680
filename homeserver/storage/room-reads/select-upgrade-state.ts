import type { Queryable } from '../database.ts';

/** A state event that a room hands on when it is upgraded; redacted ones are left out. */
export interface UpgradeStateRow {
  state_key: string;
  json: string;
}

export interface UpgradeRange {
  roomNo: number;
  limit: number;
}

const CHILDREN = `
select k.state_key, e.json
from current_state c
join state_keys k on k.state_key_no = c.state_key_no and k.type_no = $2
join events e on e.event_no = c.event_no
where c.room_no = $1 and not exists (select 1 from redactions x where x.redacted_event_id = e.event_id)
order by k.state_key limit $3`;

/** The m.space.child events of a space. */
export function selectChildren(
  db: Queryable,
  { roomNo, limit }: UpgradeRange,
  childType: number,
): Promise<UpgradeStateRow[]> {
  return db.query({ name: 'current_state_select_upgrade', text: CHILDREN, values: [roomNo, childType, limit] });
}

const BANS = `
select u.user_id as state_key, e.json
from memberships m
join users u on u.user_no = m.user_no
join events e on e.event_no = m.event_no
where m.room_no = $1 and m.membership = 4
order by m.position limit $2`;

/** Who is banned from a room. */
export function selectBans(db: Queryable, { roomNo, limit }: UpgradeRange): Promise<UpgradeStateRow[]> {
  return db.query({ name: 'memberships_select_bans', text: BANS, values: [roomNo, limit] });
}

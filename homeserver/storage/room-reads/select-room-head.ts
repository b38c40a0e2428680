import type { Queryable } from '../database.ts';

/** A state event with the number of what it is state of: a state key, or for members the user. */
export interface HeadStateRow {
  eventNo: number;
  eventId: string;
  json: string;
}

/** A forward extremity; `json` only in room versions 1 and 2, where naming an event takes its hash. */
export interface HeadTipRow {
  eventNo: number;
  eventId: string;
  depth: number;
  /** Snapshot of the state after it. */
  stateAfter: number;
  json: string | undefined;
}

/** A room's head at one moment: everything in it belongs together. */
export interface RoomHeadRow {
  roomNo: number;
  version: number;
  snapshot: number;
  tips: readonly HeadTipRow[];
  /** The entries that were asked for and are there, in no order. */
  state: readonly HeadStateRow[];
}

interface Row {
  room_no: number;
  version: number;
  snapshot: number;
  tip_nos: number[];
  tip_ids: string[];
  tip_depths: number[];
  tip_states: number[];
  tip_json: (string | null)[];
  state_nos: number[];
  state_ids: string[];
  state_json: string[];
}

// One statement, so one moment: read apart, the snapshot could be older than the state.
const TEXT = `
select r.room_no, r.version, r.snapshot, t.tip_nos, t.tip_ids, t.tip_depths, t.tip_states, t.tip_json, s.state_nos, s.state_ids, s.state_json
from rooms r,
  lateral (
    select coalesce(array_agg(e.event_no order by e.event_no), '{}') as tip_nos,
      coalesce(array_agg(e.event_id order by e.event_no), '{}') as tip_ids,
      coalesce(array_agg(e.depth order by e.event_no), '{}') as tip_depths,
      coalesce(array_agg(e.state_after order by e.event_no), '{}') as tip_states,
      coalesce(array_agg(case when r.version <= 2 then e.json end order by e.event_no), '{}') as tip_json
    from events e where e.event_no = any(r.tips)
  ) t,
  lateral (
    select coalesce(array_agg(e.event_no order by e.event_no), '{}') as state_nos,
      coalesce(array_agg(e.event_id order by e.event_no), '{}') as state_ids,
      coalesce(array_agg(e.json order by e.event_no), '{}') as state_json
    from (
      select c.event_no from current_state c where c.room_no = r.room_no and c.state_key_no = any($2::int8[])
      union all
      select m.event_no from memberships m where m.room_no = r.room_no and m.membership <> 0 and m.user_no = any($3::int8[])
    ) wanted join events e on e.event_no = wanted.event_no
  ) s
where r.room_id = $1`;

/** The head of a room with the named state entries, or undefined when we do not know the room. */
export async function selectRoomHead(
  db: Queryable,
  roomId: string,
  wanted: { stateKeyNos: readonly number[]; userNos: readonly number[] },
): Promise<RoomHeadRow | undefined> {
  const rows = await db.query<Row>({
    name: 'rooms_select_head',
    text: TEXT,
    values: [roomId, wanted.stateKeyNos, wanted.userNos],
  });
  const row = rows[0];
  return row === undefined ? undefined : headRow(row);
}

function headRow(row: Row): RoomHeadRow {
  return {
    roomNo: row.room_no,
    version: row.version,
    snapshot: row.snapshot,
    tips: row.tip_nos.map((eventNo, i) => ({
      eventNo,
      eventId: row.tip_ids[i] ?? '',
      depth: row.tip_depths[i] ?? 0,
      stateAfter: row.tip_states[i] ?? 0,
      json: row.tip_json[i] ?? undefined,
    })),
    state: row.state_nos.map((eventNo, i) => ({
      eventNo,
      eventId: row.state_ids[i] ?? '',
      json: row.state_json[i] ?? '',
    })),
  };
}

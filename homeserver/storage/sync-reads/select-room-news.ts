import type { Queryable } from '../database.ts';
import type { MembershipRow } from './select-changes.ts';
import type { ReceiptRow } from './select-streams.ts';

/** What is the same for all members of a room of what changed in it after a position, read at one moment. */
export interface RoomNewsRow
  extends Pick<
    MembershipRow,
    'room_no' | 'room_id' | 'version' | 'snapshot' | 'last_position' | 'joined' | 'invited' | 'base'
  > {
  /** Position that was asked about; `base` is the snapshot of the state there. */
  since: number;
  /** Position of the newest committed batch. */
  head: number;
  /** Receipts after the position that all may see, in their order. */
  receipts: ReceiptRow[];
}

/** A room, and the position after which its news are wanted. */
export interface AskedNews {
  readonly roomNo: number;
  readonly since: number;
}

// As in `selectChangesSince`, without the reader.
const NEWS = `
select (select coalesce(max(position), 0) from commits) as head, w.since, r.room_no, r.room_id, r.version, r.snapshot,
  r.last_position, r.joined, r.invited, b.snapshot as base,
  (select coalesce(json_agg(c), '[]') from (
    select x.room_no, u.user_id, x.kind, x.thread, e.event_id, x.ts
    from receipts x
    join users u on u.user_no = x.user_no
    join events e on e.event_no = x.event_no
    where x.room_no = r.room_no and x.position > w.since and x.kind = 1
    order by x.position
  ) c) as receipts
from unnest($1::int8[], $2::int8[]) w (room_no, since)
join rooms r on r.room_no = w.room_no
left join lateral (
  select coalesce(s.snapshot, e.state_after) as snapshot from (
    select event_no, state_after from events where room_no = r.room_no and anchor <= w.since and position > 0
    order by anchor desc, position desc limit 1
  ) e
  left join merged_states s on s.event_no = e.event_no
) b on true`;

/** News of rooms, for whoever is in them. */
export function selectRoomNews(db: Queryable, asked: readonly AskedNews[]): Promise<RoomNewsRow[]> {
  const values = [asked.map(({ roomNo }) => roomNo), asked.map(({ since }) => since)];
  return db.query<RoomNewsRow & Record<string, unknown>>({ name: 'rooms_select_news', text: NEWS, values });
}

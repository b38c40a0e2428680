import type { Queryable } from '../database.ts';

/** An event that is not counted yet: number, anchor, sender, type, flags, thread (`main` or the id of its root), whether redacted. */
export type UncountedEvent = [
  eventNo: number,
  anchor: number,
  senderNo: number,
  typeNo: number,
  flags: number,
  thread: string,
  redacted: boolean,
];

/** What counting in one room begins with. */
export interface UnreadRow {
  room_no: number;
  room_id: string;
  version: number;
  /** Users joined. */
  joined: number;
  /** Position of the room's newest event. */
  last_position: number;
  /** Number of the user's own membership event, and position at which it came to hold. */
  event_no: number;
  position: number;
  /** Thread -> anchor up to which it is read; `` for all threads. */
  marks: Readonly<Record<string, number>>;
  /** Up to where it was counted before, if that still holds: as the caller knows, or, with `counts`, as it is stored. */
  counted_to: number | null;
  counts: string | null;
  /** Anchor after which events are uncounted: `counted_to`, else what is read in all threads and the join. */
  uncounted_from: number;
  /** The newest events after that, oldest first; null: the caller has them. */
  events: UncountedEvent[] | null;
}

/** All that a count is made from, read at one moment. */
export interface UnreadRows {
  /** Position of the newest committed batch. */
  head: number;
  /** Position of the last change of the user's push rules, and of the list of ignored users; 0: none. */
  rules_position: number;
  ignored_position: number;
  rooms: UnreadRow[];
}

// One statement, because rows that are overwritten in place (receipts, memberships, rules) have to fit to the head read with them. What a
// count depends on beside events carries the position of its last change: an earlier count that is newer than all of them holds.
// An event is in the thread that it, or what it relates to over at most three steps, says it is in (rel_type 3 is m.thread).
const UNREAD = `
with own as materialized (
  select
    (select coalesce(max(position), 0) from commits) as head,
    coalesce((select position from push_rules where user_no = $1), 0) as rules_position,
    coalesce((select position from account_data where user_no = $1 and room_no = 0 and type = 'm.ignored_user_list'), 0)
      as ignored_position
)
select own.head, own.rules_position, own.ignored_position, (
  select coalesce(json_agg(c), '[]') from (
    select m.room_no, r.room_id, r.version, r.joined, r.last_position, m.event_no, m.position, reads.marks,
      coalesce(basis.known, k.counted_to) as counted_to, k.counts, start.anchor as uncounted_from,
      case when not start.is_told then news.events end as events
    from unnest($2::int8[], $5::int8[], $6::int8[], $7::int8[]) as w(room_no, known, floor, last_position)
    join memberships m on m.room_no = w.room_no and m.user_no = $1 and m.membership = 1
    join rooms r on r.room_no = m.room_no
    cross join lateral (
      select coalesce(json_object_agg(t.thread, t.anchor), '{}') as marks,
        coalesce(max(t.anchor) filter (where t.thread = ''), 0) as whole, coalesce(max(t.position), 0) as position
      from (
        select x.thread, max(e.anchor) as anchor, max(x.position) as position
        from receipts x join events e on e.event_no = x.event_no
        where x.room_no = m.room_no and x.user_no = $1 and x.kind in (1, 2) and e.anchor is not null
        group by x.thread
      ) t
    ) reads
    cross join lateral (
      select b.position, case when w.known >= b.position then w.known end as known from (
        select greatest(reads.position, coalesce(m.joined_at, m.position), own.rules_position, own.ignored_position) as position
      ) b
    ) basis
    left join push_counters k on basis.known is null and $4 and k.user_no = $1 and k.room_no = m.room_no
      and k.counted_to >= basis.position
    cross join lateral (
      select coalesce(basis.known, k.counted_to, greatest(reads.whole, coalesce(m.joined_at, m.position))) as anchor
    ) first
    cross join lateral (select first.anchor, w.floor >= 0 and first.anchor >= w.floor and r.last_position = w.last_position as is_told) start
    cross join lateral (
      select coalesce(json_agg(json_build_array(v.event_no, v.anchor, v.sender_no, v.type_no, v.flags,
        case when a.rel_type = 3 then a.parent_id when b.rel_type = 3 then b.parent_id when d.rel_type = 3 then d.parent_id
          else 'main' end, x.event_no is not null) order by v.anchor, v.position), '[]') as events
      from (
        select event_no, anchor, position, sender_no, type_no, flags, event_id from events
        where room_no = m.room_no and anchor > start.anchor and position > 0 and not start.is_told
        order by anchor desc, position desc limit $3
      ) v
      left join redactions x on x.redacted_event_id = v.event_id
      left join event_relations a on a.event_no = v.event_no
      left join events p on p.event_id = a.parent_id and a.rel_type <> 3
      left join event_relations b on b.event_no = p.event_no
      left join events q on q.event_id = b.parent_id and b.rel_type <> 3
      left join event_relations d on d.event_no = q.event_no
    ) news
    order by m.room_no
  ) c
) as rooms
from own`;

/** A room of which the unread events are wanted. */
export interface RoomToCount {
  readonly roomNo: number;
  /** Up to where the caller has counted it before; 0: not at all. */
  readonly known: number;
  /** The caller has all events after this anchor that could be given, as long as the room's newest one is at this position. */
  readonly floor: number | undefined;
  readonly lastPosition: number;
}

export interface UnreadOptions {
  /** Most events of each room. */
  readonly limit: number;
  /** Whether stored counts are used. */
  readonly stored: boolean;
}

/** What is unread for a user in the rooms among these that they are joined to. */
export async function selectUnread(
  db: Queryable,
  userNo: number,
  rooms: readonly RoomToCount[],
  { limit, stored }: UnreadOptions,
): Promise<UnreadRows> {
  const values = [
    userNo,
    rooms.map((room) => room.roomNo),
    limit,
    stored,
    rooms.map((room) => room.known),
    rooms.map((room) => room.floor ?? -1),
    rooms.map((room) => room.lastPosition),
  ];
  const [row] = await db.query<UnreadRows & Record<string, unknown>>({
    name: 'push_counters_select_unread',
    text: UNREAD,
    values,
  });
  if (row === undefined) throw new Error('a statement that always gives one row gave none');
  return row;
}

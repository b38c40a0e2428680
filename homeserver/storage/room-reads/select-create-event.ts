import type { Queryable } from '../database.ts';

const CREATE = `
select e.json from rooms r
join current_state s on s.room_no = r.room_no and s.state_key_no = $2
join events e on e.event_no = s.event_no
where r.room_id = $1`;

/** The JSON of a room's create event, whose state key has this number; undefined when we do not know the room. */
export async function selectCreateEvent(db: Queryable, roomId: string, createKey: number): Promise<string | undefined> {
  const rows = await db.query<{ json: string }>({
    name: 'current_state_select_create',
    text: CREATE,
    values: [roomId, createKey],
  });
  return rows[0]?.json;
}

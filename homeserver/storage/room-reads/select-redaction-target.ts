import type { Queryable } from '../database.ts';

const TEXT = `
select u.user_id as sender from events e
join rooms r on r.room_no = e.room_no
join users u on u.user_no = e.sender_no
where e.event_id = $1 and r.room_id = $2 and e.anchor is not null`;

/** Who sent an event of the room's timeline; undefined when that has no such event. */
export async function selectSenderOf(db: Queryable, eventId: string, roomId: string): Promise<string | undefined> {
  const rows = await db.query<{ sender: string }>({
    name: 'events_select_sender',
    text: TEXT,
    values: [eventId, roomId],
  });
  return rows[0]?.sender;
}

const REDACTED = `select 1 as found from redactions where redacted_event_id = $1`;

/** Whether a redaction of the event holds. */
export async function isRedacted(db: Queryable, eventId: string): Promise<boolean> {
  return (await db.query({ name: 'redactions_select_one', text: REDACTED, values: [eventId] })).length === 1;
}

import type { Queryable } from '../database.ts';

const TEXT = `
select 1 as found from event_relations x join events e on e.event_no = x.event_no
where x.parent_id = $1 and x.rel_type = 1 and x.key = $2 and e.sender_no = $3 and e.type_no = $4 and e.position is not null
  and not exists (select 1 from redactions d where d.redacted_event_id = e.event_id)
limit 1`;

/** Whether the user has an annotation of that type and key on the event that is not redacted. */
export async function hasAnnotation(
  db: Queryable,
  annotation: { parentId: string; key: string; senderNo: number; typeNo: number },
): Promise<boolean> {
  const { parentId, key, senderNo, typeNo } = annotation;
  const rows = await db.query({
    name: 'event_relations_select_annotation',
    text: TEXT,
    values: [parentId, key, senderNo, typeNo],
  });
  return rows.length === 1;
}

const RELATION = `
select 1 as found from events e join event_relations x on x.event_no = e.event_no
where e.event_id = $1 and not exists (select 1 from redactions d where d.redacted_event_id = e.event_id)`;

/** Whether an event relates to another one. */
export async function hasRelation(db: Queryable, eventId: string): Promise<boolean> {
  return (await db.query({ name: 'event_relations_select_of_event', text: RELATION, values: [eventId] })).length === 1;
}

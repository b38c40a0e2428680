/**
 * event_types: a row is an event type seen. Written by Names when a type is first met; read by Names, which caches it. Grows by
 * a row for each type; immutable.
 */
import type { Queryable } from '../database.ts';

const SELECT = 'select type_no from event_types where type = $1';
const INSERT = 'insert into event_types (type) values ($1) on conflict (type) do nothing';

/** The number of a type; undefined when we have not met it. */
export async function selectEventType(db: Queryable, type: string): Promise<number | undefined> {
  const rows = await db.query<{ type_no: number }>({ name: 'event_types_select', text: SELECT, values: [type] });
  return rows[0]?.type_no;
}

const SELECT_BY_NO = 'select type_no, type from event_types where type_no = any($1::int4[])';

/** Types by their numbers. */
export function selectEventTypesByNo(
  db: Queryable,
  typeNos: readonly number[],
): Promise<{ type_no: number; type: string }[]> {
  return db.query({ name: 'event_types_select_by_no', text: SELECT_BY_NO, values: [typeNos] });
}

export async function insertEventType(db: Queryable, type: string): Promise<void> {
  await db.query({ name: 'event_types_insert', text: INSERT, values: [type] });
}

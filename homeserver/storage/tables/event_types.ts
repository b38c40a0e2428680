/**
 * event_types: a row is an event type seen. Written by Names when a type is first met; read by Names, which caches it. Grows by
 * a row for each type; immutable.
 */
import type { Queryable } from '../database.ts';

export interface EventTypeRow {
  type_no: number;
  type: string;
}

const SELECT = 'select type_no, type from event_types where type = any($1::text[])';

/** The types of these that we have met, in no order. */
export function selectEventTypes(db: Queryable, types: readonly string[]): Promise<EventTypeRow[]> {
  return db.query<EventTypeRow>({ name: 'event_types_select', text: SELECT, values: [types] });
}

const SELECT_BY_NO = 'select type_no, type from event_types where type_no = any($1::int4[])';

/** Types by their numbers. */
export function selectEventTypesByNo(db: Queryable, typeNos: readonly number[]): Promise<EventTypeRow[]> {
  return db.query<EventTypeRow>({ name: 'event_types_select_by_no', text: SELECT_BY_NO, values: [typeNos] });
}

const INSERT =
  'insert into event_types (type) select n from unnest($1::text[]) n order by n on conflict (type) do nothing';

/** Inserts the types that are missing. */
export async function insertEventTypes(db: Queryable, types: readonly string[]): Promise<void> {
  await db.query({ name: 'event_types_insert', text: INSERT, values: [types] });
}

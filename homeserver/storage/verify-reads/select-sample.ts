import type { Queryable } from '../database.ts';

export interface SampledEvent {
  readonly event_id: string;
  readonly json: string;
  /** Version of its room. */
  readonly version: number;
  /** Its content is not what was hashed: it came so (flag 8), or was cut after a redaction. */
  readonly cut: boolean;
}

const RANGE = 'select coalesce(min(event_no), 0) as first, coalesce(max(event_no), 0) as last from events';

/** Lowest and highest event number. */
export async function selectEventRange(db: Queryable): Promise<{ first: number; last: number }> {
  const [row] = await db.query<{ first: number; last: number }>({ name: 'verify_select_range', text: RANGE });
  return row ?? { first: 0, last: 0 };
}

const SAMPLE = `
select e.event_id, e.json, r.version, e.flags & 8 <> 0 or exists (
    select 1 from redactions d where d.redacted_event_id = e.event_id and d.applied_at is not null
  ) as cut
from events e join rooms r on r.room_no = e.room_no
where e.event_no >= $1 and e.event_no <= $2 order by e.event_no limit $3`;

/** The first events of a stretch of event numbers. */
export function selectEventsBetween(
  db: Queryable,
  stretch: { from: number; to: number; limit: number },
): Promise<SampledEvent[]> {
  return db.query({ name: 'verify_select_sample', text: SAMPLE, values: [stretch.from, stretch.to, stretch.limit] });
}

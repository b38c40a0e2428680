import { selectEventsByNo } from '../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import { EVENT_BYTES } from './large-reads.ts';
import type { Session } from './session.ts';

/** What one statement reads: while it is parsed, some 20 ms, nobody else has a turn. */
export const EVENTS_OF_STATEMENT = 2000;

/** Events by their numbers, in no order; where they are many, once there is room for them. Errors: M_LIMIT_EXCEEDED (503). */
export async function readEvents(session: Session, eventNos: readonly number[]): Promise<TimelineRow[]> {
  await session.reader.large?.take(eventNos.length * EVENT_BYTES);
  return readInParts(session, eventNos);
}

/** The same for somebody who has asked for room already. */
export async function readInParts(session: Pick<Session, 'db'>, eventNos: readonly number[]): Promise<TimelineRow[]> {
  const rows: TimelineRow[] = [];
  for await (const part of eventParts(session, eventNos)) rows.push(...part);
  return rows;
}

/** Events by their numbers, some of them at a time; those of a part in no order. */
export async function* eventParts(
  { db }: Pick<Session, 'db'>,
  eventNos: readonly number[],
): AsyncGenerator<TimelineRow[]> {
  for (let at = 0; at < eventNos.length; at += EVENTS_OF_STATEMENT)
    yield await selectEventsByNo(db, eventNos.slice(at, at + EVENTS_OF_STATEMENT));
}

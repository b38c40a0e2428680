import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { StoredEvent } from './client-event.ts';
import { jsonMembers, jsonString } from './json-members.ts';
import type { FilteredEvent } from './event-matcher.ts';
import type { Session } from './session.ts';
import type { Standing } from './standing.ts';

/** A row as an event that can be given to clients. */
export function storedEvent(row: TimelineRow, room: Pick<Standing, 'roomId' | 'rules'>): StoredEvent {
  const event = { eventId: row.event_id, roomId: room.roomId, json: row.json, originServerTs: row.ts };
  if (row.because_id === null || row.because_json === null) return event;
  const because = { eventId: row.because_id, json: row.because_json, originServerTs: row.because_ts ?? 0 };
  return { ...event, redaction: { rules: room.rules, because } };
}

/** The transaction id of an event, for the device that sent it. */
export function ownTransaction({ reader }: Session, row: TimelineRow): string | undefined {
  return row.txn_device === reader.deviceNo ? (row.txn_id ?? undefined) : undefined;
}

/** A row as filters look at it. */
export function filteredEvent(row: TimelineRow): FilteredEvent {
  const members = jsonMembers(row.json);
  return {
    type: jsonString(members.get('type')) ?? '',
    sender: jsonString(members.get('sender')),
    hasUrl: () => jsonMembers(members.get('content') ?? '{}').has('url'),
  };
}

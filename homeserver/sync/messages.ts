import { selectMemberEventsAt } from '../storage/sync-reads/select-state.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { SyncContext } from './context.ts';
import { compileFilter } from './event-matcher.ts';
import type { RoomEventFilter } from './filter-schema.ts';
import { giveStateEvents, giveTimelineEvents } from './give-events.ts';
import { heardIn } from './ignored-users.ts';
import { earlierPoint, formatPoint, START_OF_ROOM } from './position.ts';
import type { TimelinePoint } from './position.ts';
import { openRoom } from './room-access.ts';
import type { RoomAccess } from './room-access.ts';
import { object } from './room-json.ts';
import { openSession } from './session.ts';
import type { ReadingUser, Session } from './session.ts';
import { readForward } from './streams/timeline-forward.ts';
import { readWindows } from './streams/timeline.ts';
import type { WindowOptions } from './streams/timeline.ts';

export interface MessagesRequest {
  readonly roomId: string;
  /** Absent: the end of the room that the direction begins at. */
  readonly from: { readonly point: TimelinePoint; readonly token: string } | undefined;
  readonly to: TimelinePoint | undefined;
  readonly backwards: boolean;
  readonly limit: number;
  readonly filter: RoomEventFilter;
}

interface Page {
  /** In the order of the answer. */
  readonly events: readonly TimelineRow[];
  readonly start: TimelinePoint;
  readonly end: TimelinePoint | undefined;
}

/**
 * One page of a room's history as JSON text. Errors: M_FORBIDDEN.
 * Spec: client-server API, "Getting events for a room", `/messages` (v1.19).
 */
export async function readMessages(ctx: SyncContext, reader: ReadingUser, request: MessagesRequest): Promise<string> {
  const session = await openSession(ctx, reader);
  const access = await openRoom(session, request.roomId);
  const reading = { access, ...(await optionsOf(session, access, request)) };
  const page = await (request.backwards ? pageBackwards : pageForwards)(session, request, reading);
  const [texts, members] = await Promise.all([
    giveTimelineEvents(session, page.events, access.standings, { withRoomId: true }),
    request.filter.lazy_load_members === true ? sendersOf(session, access, page.events) : [],
  ]);
  return object([
    ['start', JSON.stringify(request.from?.token ?? formatPoint(page.start))],
    ...(page.end === undefined ? [] : [['end', JSON.stringify(formatPoint(page.end))] as const]),
    ['chunk', `[${page.events.flatMap((row) => texts.get(row.event_no) ?? []).join(',')}]`],
    ['state', `[${members.join(',')}]`],
  ]);
}

async function optionsOf(session: Session, access: RoomAccess, request: MessagesRequest): Promise<WindowOptions> {
  const matcher = compileFilter(request.filter);
  const wanted = matcher.matchesRoom(access.standing.roomId) ? await heardIn(session, access) : () => false;
  return { limit: request.limit, matcher, standings: access.standings, wanted, history: true };
}

interface Reading extends WindowOptions {
  readonly access: RoomAccess;
}

async function pageBackwards(session: Session, request: MessagesRequest, reading: Reading): Promise<Page> {
  const { access } = reading;
  const roomNo = access.standing.roomNo;
  const high = earlierPoint(request.from?.point ?? access.high, access.high);
  const low = request.to ?? START_OF_ROOM;
  const windows = await readWindows(session, [{ roomNo, low, high, lastPosition: access.room?.lastPosition }], reading);
  const window = windows.get(roomNo);
  if (window === undefined) return { events: [], start: high, end: undefined };
  // With `to` there may be more behind it, so a client that goes on from there gets it.
  return { events: window.events.toReversed(), start: high, end: window.limited ? window.start : request.to };
}

async function pageForwards(session: Session, request: MessagesRequest, reading: Reading): Promise<Page> {
  const { access } = reading;
  const low = request.from?.point ?? START_OF_ROOM;
  const high = earlierPoint(request.to ?? access.high, access.high);
  const range = { roomNo: access.standing.roomNo, low, high };
  const { events, next } = await readForward(session, range, reading);
  return { events, start: low, end: next };
}

/** Membership events of those who sent the events, as they stood after the newest of them. */
async function sendersOf(session: Session, access: RoomAccess, events: readonly TimelineRow[]): Promise<string[]> {
  const newest = events.reduce<TimelineRow | undefined>(
    (best, row) => (best === undefined || row.anchor > best.anchor ? row : best),
    undefined,
  );
  if (newest === undefined) return [];
  const senders = [...new Set(events.map((row) => row.sender_no))];
  const rows = await selectMemberEventsAt(session.db, {
    snapshots: senders.map(() => newest.state_after),
    keys: senders,
  });
  return [...giveStateEvents(session, rows, access.standings, { withRoomId: true }).values()];
}

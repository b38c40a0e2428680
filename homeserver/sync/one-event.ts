import { MatrixError } from '../errors.ts';
import { selectMembersAt } from '../storage/sync-reads/select-state.ts';
import { selectRoomOfEvent, selectTimelineEvent } from '../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { SyncContext } from './context.ts';
import { compileFilter } from './event-matcher.ts';
import type { RoomEventFilter } from './filter-schema.ts';
import { giveStateEvents, giveTimelineEvents } from './give-events.ts';
import { heardIn } from './ignored-users.ts';
import { comparePoints, formatPoint, pointBefore, START_OF_ROOM } from './position.ts';
import type { TimelinePoint } from './position.ts';
import { openRoom, openRoomForOneEvent } from './room-access.ts';
import type { RoomAccess } from './room-access.ts';
import { readEvents } from './read-events.ts';
import { object } from './room-json.ts';
import { openSession } from './session.ts';
import type { ReadingUser, Session } from './session.ts';
import { loadStates } from './state-maps.ts';
import { filteredEvent } from './stored-event.ts';
import { readForward } from './streams/timeline-forward.ts';
import { readWindows } from './streams/timeline.ts';
import { filterVisible } from './visibility.ts';

/**
 * One event as JSON text. Errors: M_NOT_FOUND, also when the reader may not see it.
 * Spec: client-server API, `/rooms/{roomId}/event/{eventId}` (v1.19).
 */
export async function readEvent(
  ctx: SyncContext,
  reader: ReadingUser,
  roomId: string,
  eventId: string,
): Promise<string> {
  const session = await openSession(ctx, reader);
  const access = await openRoomForOneEvent(session, roomId).catch((error: unknown) => {
    throw error instanceof MatrixError && error.code === 'M_FORBIDDEN' ? notFound() : error;
  });
  return giveOne(session, access, await visibleEvent(session, access, eventId));
}

/** The same whatever the room. Errors: M_NOT_FOUND. Spec: client-server API, `/events/{eventId}` (v1.19). */
export async function readEventAnywhere(ctx: SyncContext, reader: ReadingUser, eventId: string): Promise<string> {
  const roomId = await selectRoomOfEvent(ctx.store.db, eventId);
  if (roomId === undefined) throw notFound();
  return readEvent(ctx, reader, roomId, eventId);
}

function notFound(): MatrixError {
  return new MatrixError('M_NOT_FOUND', 'There is no such event, or you may not see it.');
}

/** An event of a room that is open to the reader. Errors: M_NOT_FOUND, also when they may not see it. */
export async function visibleEvent(session: Session, access: RoomAccess, eventId: string): Promise<TimelineRow> {
  const row = await selectTimelineEvent(
    session.db,
    { eventId, roomNo: access.standing.roomNo },
    session.reader.deviceNo,
  );
  if (row === undefined || comparePoints(row, access.high) > 0) throw notFound();
  const [visible] = await filterVisible(session, [row], access.standings);
  if (visible === undefined) throw notFound();
  return visible;
}

async function giveOne(session: Session, access: RoomAccess, row: TimelineRow): Promise<string> {
  const texts = await giveTimelineEvents(session, [row], access.standings, { withRoomId: true });
  return texts.get(row.event_no) ?? '{}';
}

export interface ContextRequest {
  readonly roomId: string;
  readonly eventId: string;
  /** Most events before and after together. */
  readonly limit: number;
  readonly filter: RoomEventFilter;
}

/**
 * An event with what is around it, as JSON text. Errors: M_FORBIDDEN, M_NOT_FOUND.
 * Spec: client-server API, "Event Context" (v1.19).
 */
export async function readEventContext(
  ctx: SyncContext,
  reader: ReadingUser,
  request: ContextRequest,
): Promise<string> {
  const session = await openSession(ctx, reader);
  const access = await openRoom(session, request.roomId);
  const row = await visibleEvent(session, access, request.eventId);
  const { before, start, after, end } = await around(session, access, request, row);
  const last = after.at(-1) ?? row;
  const events = [...before, row, ...after];
  const [texts, state] = await Promise.all([
    giveTimelineEvents(session, events, access.standings, { withRoomId: true }),
    stateAfter(session, access, request, { last, events }),
  ]);
  const list = (rows: readonly TimelineRow[]) =>
    `[${rows.flatMap((found) => texts.get(found.event_no) ?? []).join(',')}]`;
  return object([
    ['start', JSON.stringify(formatPoint(start))],
    ['end', JSON.stringify(formatPoint(end))],
    ['events_before', list(before)],
    ['event', texts.get(row.event_no) ?? '{}'],
    ['events_after', list(after)],
    ['state', `[${state.join(',')}]`],
  ]);
}

async function around(session: Session, access: RoomAccess, request: ContextRequest, row: TimelineRow) {
  const roomNo = access.standing.roomNo;
  const half = Math.floor(request.limit / 2);
  const wanted = await heardIn(session, access);
  const options = { matcher: compileFilter(request.filter), standings: access.standings, wanted, history: true };
  const earlier = { roomNo, low: START_OF_ROOM, high: pointBefore(row) };
  const later = { roomNo, low: row, high: access.high };
  const window = (await readWindows(session, [earlier], { ...options, limit: half })).get(roomNo);
  const page = await readForward(session, later, { ...options, limit: request.limit - half });
  const last: TimelinePoint = page.next ?? page.events.at(-1) ?? row;
  const end = { anchor: last.anchor, position: last.position };
  return {
    before: window?.events.toReversed() ?? [],
    start: window?.start ?? pointBefore(row),
    after: page.events,
    end,
  };
}

interface ContextEvents {
  readonly last: TimelineRow;
  readonly events: readonly TimelineRow[];
}

/** The state at the last event; of members only the senders when they are loaded lazily. */
async function stateAfter(
  session: Session,
  access: RoomAccess,
  request: ContextRequest,
  { last, events }: ContextEvents,
): Promise<string[]> {
  const lazy = request.filter.lazy_load_members === true;
  const state = (await loadStates(session, [last.state_after], !lazy)).get(last.state_after);
  const senders = lazy ? [...new Set(events.map((row) => row.sender_no))] : [];
  const wants = { snapshots: senders.map(() => last.state_after), keys: senders };
  const entries = lazy ? await selectMembersAt(session.db, wants) : [];
  const members = lazy ? entries.map((entry) => entry.event_no) : [...(state?.members.values() ?? [])];
  const rows = await readEvents(session, [...(state?.keys.values() ?? []), ...members]);
  const matcher = compileFilter(request.filter);
  const wanted = rows.filter((row) => matcher.all || matcher.matches(filteredEvent(row)));
  return [...giveStateEvents(session, wanted, access.standings, { withRoomId: true }).values()];
}

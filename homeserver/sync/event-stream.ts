import type { EndSignal } from '../end-signal.ts';
import { MatrixError } from '../errors.ts';
import { selectJoinedRooms } from '../storage/sync-reads/select-previews.ts';
import type { JoinedRoomRow } from '../storage/sync-reads/select-previews.ts';
import { selectOldest } from '../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { SyncContext } from './context.ts';
import { giveTimelineEvents } from './give-events.ts';
import { isHeard, readIgnoredNos } from './ignored-users.ts';
import { formatSyncToken, pointAt } from './position.ts';
import type { Interest } from './recent-commits.ts';
import { openRoom } from './room-access.ts';
import { openSession } from './session.ts';
import type { ReadingUser, Session } from './session.ts';
import { rulesOf } from './standing.ts';
import type { Standing } from './standing.ts';
import { filterVisible } from './visibility.ts';

/** Events of one answer; the next one goes on behind them. */
const MAX_EVENTS = 100;

export interface StreamRequest {
  readonly reader: ReadingUser;
  /** Position up to which the client has everything; undefined: from now on. */
  readonly from: number | undefined;
  /** One room, which the reader need not have joined; undefined: all rooms that they have. */
  readonly roomId: string | undefined;
}

/**
 * Events after a token as JSON text, oldest first, waiting for some up to `timeoutMs`. Errors: M_FORBIDDEN (the room is closed to the
 * reader). Spec: client-server API, `/events`, deprecated (v1.19).
 */
export async function readEventStream(
  ctx: SyncContext,
  request: StreamRequest,
  timeoutMs: number,
  signals: readonly EndSignal[],
): Promise<string> {
  const deadline = performance.now() + timeoutMs;
  if ((request.from ?? 0) > ctx.store.feed.seen) await ctx.store.feed.catchUp();
  const from = request.from ?? ctx.store.feed.seen;
  for (;;) {
    const look = await lookFrom(ctx, request, from);
    const leftMs = deadline - performance.now();
    if (look.events.length > 0 || leftMs <= 0) return answer(from, look);
    const reason = await ctx.sync.notifier.wait(look.interest, look.seen, leftMs, signals);
    if (reason !== 'woken') return answer(from, look);
  }
}

interface Look {
  /** JSON texts, oldest first. */
  readonly events: readonly string[];
  readonly end: number;
  readonly interest: Interest;
  /** What is committed after it was not looked at. */
  readonly seen: number;
}

function answer(from: number, { events, end }: Look): string {
  const token = (position: number) => JSON.stringify(formatSyncToken({ position }));
  return `{"start":${token(from)},"end":${token(end)},"chunk":[${events.join(',')}]}`;
}

async function lookFrom(ctx: SyncContext, request: StreamRequest, from: number): Promise<Look> {
  const { seen } = ctx.store.feed;
  const session = await openSession(ctx, request.reader);
  const standings = await openRooms(session, request.roomId);
  const interest = { userNo: request.reader.userNo, rooms: new Set(standings.keys()) };
  const rows = await nextEvents(session, [...standings.keys()], from);
  const heard = rows.filter(isHeard(rows.length === 0 ? new Set() : await readIgnoredNos(session)));
  const visible = await filterVisible(session, heard, standings);
  const texts = await giveTimelineEvents(session, visible, standings, { withRoomId: true });
  const end =
    rows.length === MAX_EVENTS ? (rows.at(-1)?.position ?? from) : Math.max(from, seen, rows.at(-1)?.position ?? 0);
  return { events: visible.flatMap((row) => texts.get(row.event_no) ?? []), end, interest, seen };
}

async function openRooms(session: Session, roomId: string | undefined): Promise<Map<number, Standing>> {
  if (roomId !== undefined) {
    const { standing } = await openRoom(session, roomId);
    if (!standing.joinedNow && standing.lastJoin !== undefined) {
      throw new MatrixError('M_FORBIDDEN', 'You have left this room.');
    }
    return new Map([[standing.roomNo, standing]]);
  }
  const rows = await selectJoinedRooms(session.db, session.reader.userNo);
  return new Map(rows.map((row) => [row.room_no, standingOf(row)]));
}

function standingOf(row: JoinedRoomRow): Standing {
  return {
    roomNo: row.room_no,
    roomId: row.room_id,
    rules: rulesOf(row.version),
    joinedNow: true,
    lastJoin: undefined,
  };
}

/** The next events of the rooms in the order of the stream; what a room has beyond them comes with the next answer. */
async function nextEvents(session: Session, roomNos: readonly number[], from: number): Promise<TimelineRow[]> {
  const low = pointAt(from);
  const ranges = roomNos.map((roomNo) => ({
    roomNo,
    lowAnchor: low.anchor,
    lowPosition: low.position,
    highAnchor: Number.MAX_SAFE_INTEGER,
    highPosition: Number.MAX_SAFE_INTEGER,
  }));
  if (ranges.length === 0) return [];
  const rows = await selectOldest(session.db, ranges, { limit: MAX_EVENTS, deviceNo: session.reader.deviceNo });
  const live = rows.filter((row) => row.position > from);
  return live.toSorted((a, b) => a.position - b.position).slice(0, MAX_EVENTS);
}

import { MatrixError } from '../errors.ts';
import { selectThreadRoots } from '../storage/sync-reads/select-aggregations.ts';
import type { ThreadRootRow } from '../storage/sync-reads/select-aggregations.ts';
import { selectTimelineEvents } from '../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { SyncContext } from './context.ts';
import { giveTimelineEvents } from './give-events.ts';
import { readIgnoredNos } from './ignored-users.ts';
import { openRoom } from './room-access.ts';
import type { RoomAccess } from './room-access.ts';
import { object } from './room-json.ts';
import { openSession } from './session.ts';
import type { ReadingUser, Session } from './session.ts';
import { filterVisible } from './visibility.ts';

export interface ThreadsRequest {
  readonly roomId: string;
  /** Only threads in which the reader has written. */
  readonly participated: boolean;
  readonly limit: number;
  readonly from: string | undefined;
}

const TOKEN = /^t(-?\d{1,16})$/;

/**
 * The roots of a room's threads, those with the newest events first, as JSON text. Errors: M_FORBIDDEN, M_INVALID_PARAM (the token).
 * Spec: client-server API, "Querying threads in a room" (v1.19).
 */
export async function readThreadRoots(ctx: SyncContext, reader: ReadingUser, request: ThreadsRequest): Promise<string> {
  const before = request.from === undefined ? undefined : parseToken(request.from);
  const session = await openSession(ctx, reader);
  const access = await openRoom(session, request.roomId);
  const ignored = await readIgnoredNos(session);
  const end = access.high.position;
  const found = await selectThreadRoots(session.db, {
    roomNo: access.standing.roomNo,
    before: Math.min(before ?? Number.MAX_SAFE_INTEGER, end + 1),
    limit: request.limit + 1,
    participantNo: request.participated ? reader.userNo : undefined,
    ignored: [...ignored],
    end,
  });
  const page = found.slice(0, request.limit);
  const last = found.length > request.limit ? page.at(-1) : undefined;
  const texts = await rootTexts(session, access, { page, ignored });
  return object([
    ['chunk', `[${texts.join(',')}]`],
    ...(last === undefined ? [] : [['next_batch', `"t${last.position}"`] as const]),
  ]);
}

function parseToken(text: string): number {
  const position = Number(TOKEN.exec(text)?.[1] ?? Number.NaN);
  if (Number.isSafeInteger(position)) return position;
  throw new MatrixError('M_INVALID_PARAM', 'from: must be a next_batch of this request.');
}

/** Roots that the reader may see, in the order of the page; those of ignored users without their content. */
async function rootTexts(
  session: Session,
  access: RoomAccess,
  { page, ignored }: { page: readonly ThreadRootRow[]; ignored: ReadonlySet<number> },
): Promise<string[]> {
  const ids = page.map((row) => row.parent_id);
  const roomNo = access.standing.roomNo;
  const rows = await selectTimelineEvents(session.db, { eventIds: ids, roomNo }, session.reader.deviceNo);
  const visible = await filterVisible(session, rows, access.standings);
  const texts = await giveTimelineEvents(session, visible, access.standings, {
    withRoomId: true,
    hidden: (row: TimelineRow) => ignored.has(row.sender_no),
  });
  const byId = new Map(visible.map((row) => [row.event_id, texts.get(row.event_no)]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

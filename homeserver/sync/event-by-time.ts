import { MatrixError } from '../errors.ts';
import { selectByTime } from '../storage/sync-reads/select-by-time.ts';
import type { SyncContext } from './context.ts';
import { comparePoints } from './position.ts';
import { openRoom } from './room-access.ts';
import { openSession } from './session.ts';
import type { ReadingUser } from './session.ts';
import { filterVisible } from './visibility.ts';

export interface TimeRequest {
  readonly roomId: string;
  /** Unix ms. */
  readonly ts: number;
  readonly backwards: boolean;
}

/** Events that are looked at for one that the reader may see: 50, 200, 800. */
const FIRST_LOOK = 50;
const ROUNDS = 3;

/**
 * The event nearest to a time in one direction. Errors: M_FORBIDDEN, M_NOT_FOUND.
 * Spec: client-server API, "getEventByTimestamp" (v1.19).
 */
export async function findEventByTime(
  ctx: SyncContext,
  reader: ReadingUser,
  request: TimeRequest,
): Promise<{ event_id: string; origin_server_ts: number }> {
  const session = await openSession(ctx, reader);
  const { standing, standings, high } = await openRoom(session, request.roomId);
  let skip = 0;
  for (let limit = FIRST_LOOK; limit < FIRST_LOOK * 4 ** ROUNDS; limit *= 4) {
    const range = { roomNo: standing.roomNo, ts: request.ts, skip, limit };
    const rows = await selectByTime(session.db, range, request.backwards);
    const within = rows.filter((row) => comparePoints(row, high) <= 0);
    const [found] = await filterVisible(session, within, standings);
    if (found !== undefined) return { event_id: found.event_id, origin_server_ts: found.ts };
    if (rows.length < limit) break;
    skip += limit;
  }
  throw new MatrixError('M_NOT_FOUND', `There is no event ${request.backwards ? 'before' : 'after'} that time.`);
}

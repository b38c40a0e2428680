import { MatrixError } from '../errors.ts';
import { insertReport } from '../storage/tables/reports.ts';
import type { NewReport } from '../storage/tables/reports.ts';
import type { SyncContext } from './context.ts';
import { visibleEvent } from './one-event.ts';
import { openRoom } from './room-access.ts';
import { openSession } from './session.ts';
import type { ReadingUser } from './session.ts';

/** Reports of one user that those who run the server have not deleted yet. */
const MAX_REPORTS = 1000;

/** Reports an event of a room that the reader is in. Errors: M_NOT_FOUND. Spec: client-server API, "Reporting Content" (v1.19). */
export async function reportEvent(
  ctx: SyncContext,
  reader: ReadingUser,
  report: { roomId: string; eventId: string; reason: string },
): Promise<void> {
  const session = await openSession(ctx, reader);
  const access = await openRoom(session, report.roomId).catch((error: unknown) => {
    throw error instanceof MatrixError && error.code === 'M_FORBIDDEN' ? notFound('event') : error;
  });
  if (!access.standing.joinedNow) throw notFound('event');
  const row = await visibleEvent(session, access, report.eventId);
  await keep(ctx, reader, { roomNo: row.room_no, eventNo: row.event_no, reason: report.reason });
}

/** Errors: M_NOT_FOUND. Spec: as `reportEvent`. */
export async function reportRoom(
  ctx: SyncContext,
  reader: ReadingUser,
  report: { roomId: string; reason: string },
): Promise<void> {
  const roomNo = await ctx.store.names.roomNo(report.roomId);
  if (roomNo === undefined) throw notFound('room');
  await keep(ctx, reader, { roomNo, reason: report.reason });
}

/** Errors: M_NOT_FOUND. Spec: as `reportEvent`. */
export async function reportUser(
  ctx: SyncContext,
  reader: ReadingUser,
  report: { userId: string; reason: string },
): Promise<void> {
  const userNo = await ctx.store.names.findUserNo(report.userId);
  if (userNo === undefined) throw notFound('user');
  await keep(ctx, reader, { userNo, reason: report.reason });
}

function notFound(what: string): MatrixError {
  return new MatrixError('M_NOT_FOUND', `There is no such ${what} here.`);
}

async function keep(
  ctx: SyncContext,
  reader: ReadingUser,
  report: Omit<NewReport, 'at' | 'reporterNo'>,
): Promise<void> {
  const row = { ...report, at: Date.now(), reporterNo: reader.userNo };
  if (await insertReport(ctx.store.db, row, MAX_REPORTS)) {
    ctx.log.info({ user_id: reader.userId }, 'something was reported: see the table reports');
    return;
  }
  throw new MatrixError('M_FORBIDDEN', `You have ${MAX_REPORTS} reports that nobody has looked at yet.`);
}

import { MatrixError } from '../errors.ts';
import { selectIsRelatedTo, selectReceiptPoint, selectThreadOf } from '../storage/sync-reads/select-streams.ts';
import { selectTimelineEvent } from '../storage/sync-reads/select-timeline.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { StreamWrite } from '../storage/write-batch.ts';
import type { SyncContext } from './context.ts';
import { comparePoints } from './position.ts';
import { joinedRoomNo } from './room-access.ts';
import type { ReadingUser } from './session.ts';
import { RECEIPT_KINDS } from './streams/receipts.ts';

export type ReceiptType = keyof typeof RECEIPT_KINDS | 'm.fully_read';

export interface ReceiptRequest {
  readonly type: ReceiptType;
  readonly eventId: string;
  /** Undefined: not threaded. */
  readonly threadId: string | undefined;
}

/**
 * Moves receipts and the fully read marker of a joined user, all in one write. A receipt never moves backwards.
 * Errors: M_FORBIDDEN (not joined), M_NOT_FOUND (no such event in the room), M_INVALID_PARAM (the thread does not fit).
 * Spec: client-server API, "Receipts" and "Read and unread markers" (v1.19).
 */
export async function setReceipts(
  ctx: SyncContext,
  reader: ReadingUser,
  roomId: string,
  requests: readonly ReceiptRequest[],
): Promise<void> {
  const roomNo = await joinedRoomNo(ctx, reader, roomId);
  const writes = await Promise.all(requests.map((request) => writeFor(ctx, reader, roomNo, request)));
  const needed = writes.filter((write) => write !== undefined);
  if (needed.length > 0) await ctx.writer.writeStreams(needed);
}

async function writeFor(
  ctx: SyncContext,
  reader: ReadingUser,
  roomNo: number,
  request: ReceiptRequest,
): Promise<StreamWrite | undefined> {
  const event = await selectTimelineEvent(ctx.store.db, { eventId: request.eventId, roomNo }, reader.deviceNo);
  if (event === undefined)
    throw new MatrixError('M_NOT_FOUND', `${request.type}: there is no such event in this room.`);
  const { userNo } = reader;
  if (request.type === 'm.fully_read') {
    const content = JSON.stringify({ event_id: request.eventId });
    return { kind: 'account_data', userNo, roomNo, type: 'm.fully_read', content };
  }
  await checkThread(ctx, event, request.threadId);
  const receiptKind = RECEIPT_KINDS[request.type];
  const thread = request.threadId ?? '';
  const known = await selectReceiptPoint(ctx.store.db, { roomNo, userNo, kind: receiptKind, thread });
  if (known !== undefined && comparePoints(known, event) >= 0) return undefined;
  return { kind: 'receipt', roomNo, userNo, receiptKind, thread, eventNo: event.event_no, ts: Date.now() };
}

/**
 * `main` is for events outside threads, a thread's id for its root and what relates to that: also for what is shown with the thread
 * without being in it, a reaction to the root.
 */
async function checkThread(ctx: SyncContext, event: TimelineRow, threadId: string | undefined): Promise<void> {
  if (threadId === undefined || threadId === event.event_id) return;
  const { db } = ctx.store;
  const fits =
    threadId === 'main'
      ? (await selectThreadOf(db, event.event_no)) === undefined
      : await selectIsRelatedTo(db, event.event_no, threadId);
  if (!fits) throw new MatrixError('M_INVALID_PARAM', 'thread_id: the event is not in this thread.');
}

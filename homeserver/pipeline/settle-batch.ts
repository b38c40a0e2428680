import type { Metrics } from '../metrics.ts';
import type { BatchResult } from '../storage/write-batch.ts';
import type { FormedBatch } from './form-batch.ts';
import type { ReceiveIntent } from './intent.ts';
import type { PlacedIntent } from './place-intent.ts';
import type { RoomHeads } from './room-heads.ts';
import type { SentEvent } from './room-writer.ts';
import type { WorkingRoom } from './working-room.ts';

interface SettleContext {
  readonly heads: RoomHeads;
  readonly metrics: Metrics;
}

/**
 * Notes what the store says of a batch: heads move on or are dropped, callers get their answers. Gives back the intents that were not
 * written because their room had moved.
 */
export function settleBatch(batch: FormedBatch, result: BatchResult, context: SettleContext): readonly PlacedIntent[] {
  const { heads, metrics } = context;
  for (const room of batch.rooms) {
    if (batch.generation === heads.generation) moveHead(room, result, heads);
    else if (room.roomId !== undefined) heads.drop(room.roomId);
  }
  for (const intent of batch.received) settleReceived(intent, result, heads);
  const refused = new Set(batch.input.streams.filter((_, i) => result.refusedStreams.has(i)));
  for (const intent of batch.streams) {
    const isRefused = refused.size > 0 && intent.writes.some((write) => refused.has(write));
    intent.resolve({ position: result.lastPosition, refused: isRefused });
  }
  metrics.batches.inc();
  metrics.eventsPersisted.inc(result.positions.size);
  metrics.roomsRefused.inc(result.refusedRooms.size);
  return batch.placed.filter((placed) => !settleIntent(placed, result));
}

function moveHead(room: WorkingRoom, result: BatchResult, heads: RoomHeads): void {
  if (room.roomId === undefined) return;
  if (result.refusedRooms.has(room.head.roomNo)) heads.drop(room.roomId);
  else heads.put(room.committedHead(room.roomId));
}

/** The cached head goes on with other extremities, as long as its state is still the room's. */
function settleReceived({ roomId, placed, resolve }: ReceiveIntent, result: BatchResult, heads: RoomHeads): void {
  const { write, tips } = placed;
  const refused = result.refusedRooms.has(write.roomNo);
  const head = heads.usable(roomId);
  if (head?.snapshot === write.newSnapshot && !refused) heads.put({ ...head, tips });
  else heads.drop(roomId);
  resolve(refused ? undefined : { position: result.lastPosition });
}

/** False when the intent has to be built again. */
function settleIntent(placed: PlacedIntent, result: BatchResult): boolean {
  const { intent, room } = placed;
  if (result.refusedRooms.has(room.head.roomNo)) return settleDuplicate(placed, result);
  const events = placed.drafts.map((draft) => ('stands' in draft ? draft.stands : sent(draft.row, result)));
  if (intent.kind === 'room') intent.resolve(events);
  else if (room.roomId !== undefined) intent.resolve({ roomId: room.roomId, events });
  return true;
}

/** A repeated transaction has its answer; everything else of its room is built again. */
function settleDuplicate(placed: PlacedIntent, result: BatchResult): boolean {
  const { intent, drafts } = placed;
  const [draft] = drafts;
  if (intent.kind !== 'room' || draft === undefined || !('row' in draft)) return false;
  const eventId = result.duplicates.get(draft.row.eventNo);
  if (eventId === undefined) return false;
  // The event was committed before this batch was, so any position of this batch shows it.
  intent.resolve([{ eventId, position: result.lastPosition }]);
  return true;
}

function sent(row: { eventNo: number; eventId: SentEvent['eventId'] }, result: BatchResult): SentEvent {
  return { eventId: row.eventId, position: result.positions.get(row.eventNo) ?? result.lastPosition };
}

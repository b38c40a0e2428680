import type { MatrixError } from '../errors.ts';
import { tryAgainLater } from '../errors.ts';
import type { BatchInput } from '../storage/write-batch.ts';
import type { BuildContext } from './build-event.ts';
import type { Intent, ReceiveIntent, RoomIntent, StreamIntent } from './intent.ts';
import type { IntentQueue } from './intent-queue.ts';
import { MAX_BATCH_EVENTS, newForming, placeIntent, type Forming, type PlacedIntent } from './place-intent.ts';
import type { RoomHeads } from './room-heads.ts';
import type { WorkingRoom } from './working-room.ts';

export interface FormedBatch {
  readonly input: BatchInput;
  readonly rooms: readonly WorkingRoom[];
  readonly placed: readonly PlacedIntent[];
  readonly streams: readonly StreamIntent[];
  readonly received: readonly ReceiveIntent[];
  readonly events: number;
  /** `RoomHeads.generation` that the events are built on. */
  readonly generation: number;
  /** Key that signed the events. */
  readonly keyId: string;
  /** Intents that need more of their room loaded, or a second look at its state, before they can be built. */
  readonly unprepared: readonly RoomIntent[];
}

/** Building is synchronous: after this the rest waits for the next batch, so that other requests get their turn. */
const MAX_FORMING_MS = 20;

/**
 * Takes intents off the queue and builds their events, synchronously, until the batch is full. What is refused for good is
 * rejected here; what cannot be decided yet goes to `unprepared` or back to the front of the queue.
 */
export function formBatch(queue: IntentQueue, heads: RoomHeads, context: BuildContext): FormedBatch {
  const forming = newForming(heads, context);
  const started = performance.now();
  for (let intent = queue.peek(); intent !== undefined; intent = queue.peek()) {
    if (isFullFor(forming, intent) || (forming.events > 0 && performance.now() - started > MAX_FORMING_MS)) break;
    if (started > intent.deadline) intent.reject(tooLate());
    else tryToPlace(forming, intent);
    if (forming.full) break;
    queue.shift();
    if (intent.alone) break;
  }
  for (const intent of forming.postponed) queue.pushFirst(intent);
  return formed(forming);
}

/** Numbers are reserved for one full batch; an intent that is to be alone neither joins others nor lets others join it. */
function isFullFor(forming: Forming, intent: Intent): boolean {
  const used = Math.max(forming.events, forming.built);
  return used > 0 && (intent.alone || used + sizeOf(intent) > MAX_BATCH_EVENTS);
}

/** A fault in building one intent must not keep the others from being answered. */
function tryToPlace(forming: Forming, intent: Intent): void {
  try {
    placeIntent(forming, intent);
  } catch (error) {
    intent.reject(error);
  }
}

function sizeOf(intent: Intent): number {
  switch (intent.kind) {
    case 'stream':
      return intent.writes.length;
    case 'receive':
      return intent.placed.write.events.length;
    case 'room':
    case 'create':
      return intent.drafts.length;
  }
}

function tooLate(): MatrixError {
  return tryAgainLater('The write did not get its turn in time: try again later.');
}

function formed(forming: Forming): FormedBatch {
  const rooms = [...forming.rooms.values()];
  const received = [...forming.received.values()];
  const writes = [...rooms.map((room) => room.write()), ...received.map(({ placed }) => placed.write)];
  return {
    input: { rooms: writes, streams: [...forming.writes.values()] },
    rooms,
    received,
    placed: forming.placed,
    streams: forming.streams,
    events: forming.events,
    generation: forming.heads.generation,
    keyId: forming.context.key.keyId,
    unprepared: forming.unprepared,
  };
}

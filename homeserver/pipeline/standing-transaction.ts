import { parseEventId } from '../room/identifiers.ts';
import { selectTransactionEvent } from '../storage/room-reads/select-transaction.ts';
import type { Store } from '../storage/store.ts';
import type { RoomIntent } from './intent.ts';
import type { SentEvent } from './room-writer.ts';

/**
 * The event that an intent's transaction has made before, if any. Asked for only when the room's state refuses the intent: a client may
 * repeat its last message after having left, and gets the first answer again. All other repeats are found by the batch function.
 */
export async function standingTransaction(store: Store, intent: RoomIntent): Promise<SentEvent | undefined> {
  const draft = intent.drafts[0]?.draft;
  if (draft?.transaction === undefined) return undefined;
  const name = { ...draft.transaction, roomId: intent.roomId, type: draft.type };
  const found = await selectTransactionEvent(store.db, name);
  const eventId = parseEventId(found?.event_id ?? '');
  return found === undefined || eventId === undefined ? undefined : { eventId, position: found.position };
}

import { selectReceiptsOfRooms } from '../../storage/sync-reads/select-streams.ts';
import type { ReceiptRow } from '../../storage/sync-reads/select-streams.ts';
import type { Session } from '../session.ts';

/** Values of the column `receipts.kind`. */
export const RECEIPT_KINDS = { 'm.read': 1, 'm.read.private': 2 } as const;

const RECEIPT_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(RECEIPT_KINDS).map(([name, kind]) => [kind, name]),
);

export type ReceiptsByRoom = ReadonlyMap<number, readonly ReceiptRow[]>;

/** All receipts of rooms that the client learns of for the first time. */
export async function readReceiptsOfNewRooms(session: Session, rooms: readonly number[]): Promise<ReceiptsByRoom> {
  if (rooms.length === 0) return new Map();
  return Map.groupBy(await selectReceiptsOfRooms(session.db, session.reader.userNo, rooms), (row) => row.room_no);
}

/**
 * A room's receipts as m.receipt events: one, but that in one event a user has one receipt of a kind on a message, so those that the same
 * message has in other threads come in further ones. As few as can be: some clients keep only one of them.
 * Spec: client-server API, "Receipts" (v1.19).
 */
export function receiptEventsJson(rows: readonly ReceiptRow[]): string[] {
  const alike = new Map<string, number>();
  const byEvent = Map.groupBy(rows, (row) => {
    const key = `${row.kind}/${row.event_id}/${row.user_id}`;
    const before = alike.get(key) ?? 0;
    alike.set(key, before + 1);
    return before;
  });
  return [...byEvent.values()].map(receiptEventJson);
}

function receiptEventJson(rows: readonly ReceiptRow[]): string {
  const content = new Map<string, Map<string, Map<string, object>>>();
  for (const row of rows) {
    const kinds = valueOf(content, row.event_id, () => new Map<string, Map<string, object>>());
    const users = valueOf(kinds, RECEIPT_NAMES.get(row.kind) ?? 'm.read', () => new Map<string, object>());
    users.set(row.user_id, row.thread === '' ? { ts: row.ts } : { ts: row.ts, thread_id: row.thread });
  }
  const plain = [...content].map(([eventId, kinds]): [string, object] => [eventId, fromKinds(kinds)]);
  return JSON.stringify({ type: 'm.receipt', content: Object.fromEntries(plain) });
}

function fromKinds(kinds: ReadonlyMap<string, ReadonlyMap<string, object>>): object {
  return Object.fromEntries([...kinds].map(([kind, users]) => [kind, Object.fromEntries(users)]));
}

function valueOf<V>(map: Map<string, V>, key: string, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

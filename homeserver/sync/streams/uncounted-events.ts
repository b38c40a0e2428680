import { selectUnread } from '../../storage/sync-reads/select-unread.ts';
import type { UnreadRow, UnreadRows } from '../../storage/sync-reads/select-unread.ts';
import type { Session } from '../session.ts';
import { CountableEvents } from '../countable-events.ts';
import type { CountableRow } from '../countable-events.ts';
import type { ToldRoom } from './unread-in-window.ts';

/** Fewer are as well read anew. */
const WORTH_KEEPING = 5;

export interface CountingFrom {
  /** Most events of a room. */
  readonly limit: number;
  /** Up to where a room has been counted; undefined: stored counts are not to be used either. */
  readonly countedTo: ((roomNo: number) => number) | undefined;
}

/** What is uncounted in rooms; long lists are read once for all readers, as long as nothing happens in the room. */
export async function readUncounted(
  session: Session,
  rooms: readonly ToldRoom[],
  { limit, countedTo }: CountingFrom,
): Promise<Omit<UnreadRows, 'rooms'> & { rooms: CountableRow[] }> {
  const { recentEvents } = session.ctx.sync;
  const { generation } = recentEvents;
  const keyOf = (row: Pick<UnreadRow, 'room_no' | 'last_position'>) => `${row.room_no}/${row.last_position}/${limit}`;
  const kept = new Map(rooms.map(({ row }) => [row.room_no, recentEvents.get(keyOf(row))]));
  const asked = rooms.map(({ row: { room_no: roomNo, last_position: lastPosition } }) => {
    return { roomNo, known: countedTo?.(roomNo) ?? 0, floor: kept.get(roomNo)?.floor, lastPosition };
  });
  const options = { limit, stored: countedTo !== undefined };
  const found = await selectUnread(session.db, session.reader.userNo, asked, options);
  const counted = found.rooms.map((row): CountableRow => {
    if (row.events === null) return { ...row, events: kept.get(row.room_no)?.events ?? NO_EVENTS };
    const events = new CountableEvents(row.events);
    if (row.events.length >= WORTH_KEEPING) {
      const floor = row.events.length === limit ? 0 : row.uncounted_from;
      recentEvents.set(keyOf(row), { value: { floor, events }, bytes: events.bytes }, generation);
    }
    return { ...row, events };
  });
  return { ...found, rooms: counted };
}

const NO_EVENTS = new CountableEvents([]);

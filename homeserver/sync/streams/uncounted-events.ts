import { selectUnread } from '../../storage/sync-reads/select-unread.ts';
import type { UncountedEvent, UnreadRow, UnreadRows } from '../../storage/sync-reads/select-unread.ts';
import type { Session } from '../session.ts';
import type { CountableRow } from '../recent-events.ts';
import type { ToldRoom } from './unread-in-window.ts';

/** Fewer are as well read anew. */
const WORTH_KEEPING = 5;
const EVENT_BYTES = 150;

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
    const { events, uncounted_from: from } = row;
    if (events === null) return { ...row, events: after(kept.get(row.room_no)?.events ?? [], from) };
    if (events.length >= WORTH_KEEPING) {
      const floor = events.length === limit ? 0 : from;
      recentEvents.set(keyOf(row), { value: { floor, events }, bytes: EVENT_BYTES * events.length }, generation);
    }
    return { ...row, events };
  });
  return { ...found, rooms: counted };
}

function after(events: UncountedEvent[], anchor: number): UncountedEvent[] {
  const [first] = events;
  return first === undefined || first[1] > anchor ? events : events.filter((event) => event[1] > anchor);
}

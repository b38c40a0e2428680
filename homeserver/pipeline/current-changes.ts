import { selectKnownEventsByNo } from '../storage/room-reads/select-events-by-id.ts';
import { selectSnapshotChain } from '../storage/room-reads/select-snapshot-chain.ts';
import { changesBetween, entryOf } from '../storage/snapshot-delta.ts';
import type { Store } from '../storage/store.ts';
import type { CurrentChanges, NewEvent } from '../storage/write-batch.ts';
import { membershipNo } from './classify-event.ts';
import { readStored } from './resolution-task.ts';
import type { ResolvedRoom } from './resolve-state.ts';
import { parseEventId } from '../room/identifiers.ts';

/** What makes a room's current state of one snapshot of it of another, once `added` is stored. */
export async function currentChanges(
  store: Store,
  room: ResolvedRoom,
  states: { from: number; to: number; added: NewEvent },
): Promise<CurrentChanges> {
  const { from, to, added } = states;
  if (from === to) return { keys: new Map(), members: new Map() };
  const [before, after] = await Promise.all([from, to].map((snapshot) => selectSnapshotChain(store.db, snapshot)));
  if (before === undefined || after === undefined) throw new Error('a snapshot gave no chain');
  const { keys, members } = changesBetween(before, after);
  const known = await membershipsOf(store, room, [...members.values()]);
  if (added.membership !== undefined) known.set(added.eventNo, added.membership.membership);
  const changed = new Map<number, { eventNo: number; membership: number }>();
  for (const [userNo, eventNo] of members) {
    const last = entryOf(before, 'member', userNo) ?? 0;
    changed.set(
      userNo,
      eventNo === 0 ? { eventNo: last, membership: 0 } : { eventNo, membership: known.get(eventNo) ?? 0 },
    );
  }
  return { keys, members: changed };
}

/** What the membership events among them say; all that hold are stored and say something, or the rules had refused them. */
async function membershipsOf(
  store: Store,
  room: ResolvedRoom,
  eventNos: readonly number[],
): Promise<Map<number, number>> {
  const wanted = eventNos.filter((eventNo) => eventNo !== 0);
  if (wanted.length === 0) return new Map();
  const memberships = new Map<number, number>();
  for (const { event_no: eventNo, event_id: text, json } of await selectKnownEventsByNo(store.db, wanted)) {
    const eventId = parseEventId(text);
    const event = eventId === undefined ? undefined : readStored({ eventId, json }, room.rules);
    const membership = event === undefined ? undefined : membershipNo(event.content);
    if (membership !== undefined) memberships.set(eventNo, membership);
  }
  return memberships;
}

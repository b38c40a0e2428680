import type { Queryable } from '../storage/database.ts';
import { selectSnapshotChain } from '../storage/room-reads/select-snapshot-chain.ts';
import { stateOf, type SnapshotChain } from '../storage/snapshot-delta.ts';
import {
  type CheckedRoom,
  selectMembersOf,
  selectRoomsAfter,
  selectStateOf,
} from '../storage/verify-reads/select-rooms.ts';
import { type CheckResult, Tally } from './verify-report.ts';

const PAGE = 200;

/** Whether the head of every room can be resolved and says what the tables of current state say. One room at a time in memory. */
export async function checkRooms(db: Queryable, hasTime: () => boolean): Promise<CheckResult[]> {
  const snapshots = new Tally('room heads can be resolved');
  const state = new Tally('current state is that of the head');
  let complete = true;
  for (let after = 0; complete; ) {
    const rooms = await selectRoomsAfter(db, after, PAGE);
    for (const room of rooms) {
      if (!hasTime()) complete = false;
      else await checkRoom(db, room, { snapshots, state });
    }
    const last = rooms.at(-1);
    if (last === undefined) break;
    after = last.room_no;
  }
  return [snapshots.result(complete), state.result(complete)];
}

async function checkRoom(
  db: Queryable,
  room: CheckedRoom,
  { snapshots, state }: { snapshots: Tally; state: Tally },
): Promise<void> {
  snapshots.checked += 1;
  // Known only by an invite or as a name: there is no state of it here.
  if (room.snapshot === 0) return;
  const chain = await selectSnapshotChain(db, room.snapshot);
  if (!isWhole(chain)) {
    snapshots.fault(room.room_id);
    return;
  }
  state.checked += 1;
  const wanted = stateOf(chain);
  const members = await selectMembersOf(db, room.room_no);
  const found = await selectStateOf(db, room.room_no);
  const same = equal(wanted.keys, found) && equal(wanted.members, members.events);
  if (!same || members.joined !== room.joined) state.fault(room.room_id);
}

/** A chain ends with a complete snapshot, and each link is older than the one before. */
function isWhole(chain: SnapshotChain): boolean {
  if (chain.at(-1)?.base !== 0) return false;
  return chain.every((link, i) => link.ordinal < (chain[i - 1]?.ordinal ?? Infinity));
}

function equal(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

import type { Queryable } from '../storage/database.ts';
import { selectSnapshotChain } from '../storage/room-reads/select-snapshot-chain.ts';
import { stateOf, type SnapshotChain } from '../storage/snapshot-delta.ts';
import {
  type CheckedRoom,
  selectMembersOf,
  selectRoomsAfter,
  selectStateOf,
} from '../storage/verify-reads/select-rooms.ts';
import { Tally } from './verify-report.ts';

const PAGE = 200;

export interface RoomTallies {
  readonly snapshots: Tally;
  readonly state: Tally;
}

export function roomTallies(): RoomTallies {
  return { snapshots: new Tally('room heads can be resolved'), state: new Tally('current state is that of the head') };
}

/**
 * Whether the head of every room can be resolved and says what the tables of current state say. One room at a time in memory. False:
 * time ran out before all were looked at.
 */
export async function checkRooms(db: Queryable, tallies: RoomTallies, hasTime: () => boolean): Promise<boolean> {
  for (let after = 0; ; ) {
    const rooms = await selectRoomsAfter(db, after, PAGE);
    for (const room of rooms) {
      if (!hasTime()) return false;
      await checkRoom(db, room, tallies);
    }
    const last = rooms.at(-1);
    if (last === undefined) return true;
    after = last.room_no;
  }
}

async function checkRoom(db: Queryable, room: CheckedRoom, { snapshots, state }: RoomTallies): Promise<void> {
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

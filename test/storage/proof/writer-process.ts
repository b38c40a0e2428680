import { MatrixError } from '../../../homeserver/errors.ts';
import type { Store } from '../../../homeserver/storage/store.ts';
import type { RoomWrite } from '../../../homeserver/storage/write-batch.ts';
import { messagesInto, newMessage, openTestStore } from '../../support/store-fixture.ts';
import { databaseConfig, persist, readInput, say } from './process-input.ts';

/** Writes batches as fast as it can until it is killed; says what was acknowledged and what stayed unknown. */
const input = readInput();
const store = await persist(() => openTestStore({ config: databaseConfig(input.directory) }));
/** What each room was last seen to end in. */
const heads = new Map<number, Head>();
let count = 0;

for (;;) {
  try {
    await writeOne(store);
  } catch (error) {
    // Not acknowledged: whether it was written is for the table to say. Anything but "away" is a fault.
    if (error instanceof MatrixError && error.status === 503) await say({ unknown: 1 });
    else await say({ failed: String(error) });
  }
}

async function writeOne(on: Store): Promise<void> {
  const chosen = input.rooms.filter(() => Math.random() < 0.6);
  const rooms = await Promise.all(chosen.map((roomNo) => writeFor(on, roomNo)));
  const { positions, refusedRooms } = await on.batches.write({ rooms, streams: [] });
  for (const room of rooms) {
    if (refusedRooms.has(room.roomNo)) heads.delete(room.roomNo);
    else heads.set(room.roomNo, { snapshot: room.newSnapshot, tips: room.newTips });
  }
  await say({ acked: [...positions], refused: refusedRooms.size });
}

interface Head {
  readonly snapshot: number;
  readonly tips: readonly number[];
}

async function writeFor(on: Store, roomNo: number): Promise<RoomWrite> {
  const { snapshot, tips } = heads.get(roomNo) ?? (await currentHead(on, roomNo));
  const events = await Promise.all(
    Array.from({ length: 1 + Math.floor(Math.random() * 4) }, () => message(on, snapshot)),
  );
  const part = { ...messagesInto(roomNo, snapshot, events), knownTips: tips, usedTips: tips };
  if (Math.random() < 0.67) return part;
  const newSnapshot = await on.numbers.nextSnapshot();
  const last = events.at(-1);
  if (last !== undefined) last.stateAfter = newSnapshot;
  return { ...part, newSnapshot, exact: true };
}

function message(on: Store, snapshot: number) {
  count += 1;
  const transaction = { deviceNo: on.replica.replicaNo, txnId: String(count) };
  return newMessage(on, snapshot, { transaction });
}

async function currentHead(on: Store, roomNo: number): Promise<Head> {
  const text = 'select snapshot, tips from rooms where room_no = $1';
  const [row] = await on.db.query<{ snapshot: number; tips: number[] }>({ name: 'proof_head', text, values: [roomNo] });
  return row ?? { snapshot: 0, tips: [] };
}

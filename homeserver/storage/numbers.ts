import type { Queryable, Statement } from './database.ts';
import type { NumberBlocks } from './write-batch.ts';

/** The sequences step by this: one `nextval` gives a whole block. */
const BLOCK = 1000;

/** When fewer are left after a reservation, the next block is fetched ahead, so that `reserve` seldom waits. */
const LOW = 500;

const MAX_RESERVE = 10_000;

const EVENTS: Statement = { name: 'event_numbers_next', text: "select nextval('event_numbers') as first" };
const SNAPSHOTS: Statement = { name: 'snapshot_numbers_next', text: "select nextval('snapshot_numbers') as first" };
const ROOMS: Statement = { name: 'room_numbers_next', text: "select nextval('room_numbers') as first" };

/** Number blocks with the means to drop what was fetched. */
export interface DroppableNumbers extends NumberBlocks {
  /** After another start of the server: a sequence may have lost its newest steps and give the same block to another replica. */
  drop(): void;
}

/** Numbers of one replica; those that are not used by its end are lost, which means nothing. */
export function createNumberBlocks(db: Queryable): DroppableNumbers {
  const events = new Blocks(db, EVENTS);
  const snapshots = new Blocks(db, SNAPSHOTS);
  const rooms = new Blocks(db, ROOMS);
  return {
    nextEventNo: () => events.next(),
    nextSnapshot: () => snapshots.next(),
    nextRoomNo: () => rooms.next(),
    reserve: async (count) => {
      await Promise.all([events.reserve(count), snapshots.reserve(count)]);
    },
    takeEventNo: () => events.take(),
    takeSnapshot: () => snapshots.take(),
    drop: () => {
      for (const blocks of [events, snapshots, rooms]) blocks.drop();
    },
  };
}

class Blocks {
  readonly #db: Queryable;
  readonly #statement: Statement;
  #free: { from: number; left: number }[] = [];
  #fetching: Promise<void> | undefined;

  constructor(db: Queryable, statement: Statement) {
    this.#db = db;
    this.#statement = statement;
  }

  async next(): Promise<number> {
    // Others may take what was fetched before this call goes on.
    while (this.#left() === 0) await this.#fetch();
    return this.take();
  }

  async reserve(count: number): Promise<void> {
    if (count > MAX_RESERVE) throw new RangeError(`${count} numbers cannot be reserved at once`);
    while (this.#left() < count) await this.#fetch();
    // Ahead of need; a failure shows when the numbers are really wanted.
    if (this.#left() < count + LOW) this.#fetch().catch(() => undefined);
  }

  take(): number {
    const block = this.#free[0];
    if (block === undefined) throw new Error('no number is reserved');
    const number = block.from;
    block.from += 1;
    block.left -= 1;
    if (block.left === 0) this.#free.shift();
    return number;
  }

  drop(): void {
    this.#free = [];
  }

  #left(): number {
    return this.#free.reduce((sum, block) => sum + block.left, 0);
  }

  #fetch(): Promise<void> {
    this.#fetching ??= this.#nextBlock().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #nextBlock(): Promise<void> {
    const rows = await this.#db.query<{ first: number }>(this.#statement);
    const first = rows[0]?.first;
    if (first === undefined) throw new Error('the sequence gave no number');
    this.#free.push({ from: first, left: BLOCK });
  }
}

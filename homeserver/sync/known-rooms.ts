import type { BoundedCache } from '../bounded-cache.ts';
import type { Store } from '../storage/store.ts';
import type { RoomForReaderRow } from '../storage/sync-reads/select-changes.ts';
import type { Commit } from '../storage/write-batch.ts';
import { MEMBERSHIP } from './membership.ts';
import type { Notifier } from './notifier.ts';

/** A room as it stands after every commit that the feed has handed on. */
export interface KnownRoom {
  readonly roomNo: number;
  readonly roomId: string;
  readonly version: number;
  /** Snapshot of its present state. */
  readonly snapshot: number;
  /** Position of its newest event. */
  readonly lastPosition: number;
  /** How many are joined. */
  readonly joined: number;
  /**
   * No event up to `lastPosition` and after this position took anything away from a state event: what was made of the room's state
   * since then still holds while the snapshot is the same.
   */
  readonly intactSince: number;
}

interface Entry {
  readonly room: KnownRoom;
  /** Position up to which commits are in it. */
  readonly at: number;
  /** A commit has touched the room since. */
  readonly isStale: boolean;
}

/** Rooms of one reader, each with the position up to which commits are in it. */
type JoinedRooms = ReadonlyMap<number, number>;

const ROOMS = 20_000;
const READERS = 20_000;
/** Rooms of one reader that are remembered apart from those of their syncs. */
const ROOMS_OF_READER = 64;

const NO_ROOMS: ReadonlySet<number> = new Set();
const NOBODY = 0;

/**
 * Rooms that were read, and who is joined to them. Commits take out what they touch: after `feed.catchUp()` an entry is what the
 * database would say, so that requests that come together share one small query instead of asking each for itself.
 */
export class KnownRooms {
  readonly #notifier: Notifier;
  readonly #rooms: BoundedCache<number, Entry>;
  readonly #joined: BoundedCache<number, JoinedRooms>;
  readonly #remove: (() => void)[];

  constructor({ feed, caches }: Pick<Store, 'feed' | 'caches'>, notifier: Notifier) {
    this.#notifier = notifier;
    this.#rooms = caches.bounded('known_rooms', { entries: ROOMS, weigh: (_no, { room }) => 250 + room.roomId.length });
    this.#joined = caches.bounded('joined_readers', {
      entries: READERS,
      weigh: (_user, rooms) => 150 + 40 * rooms.size,
    });
    this.#remove = [
      feed.onCommit((commit) => {
        this.#onCommit(commit);
      }),
      feed.onReset(() => {
        this.#rooms.clear();
        this.#joined.clear();
      }),
    ];
  }

  /** The room, if nothing has touched it since it was read and it is known that the user is joined to it. */
  joinedRoom(userNo: number, roomNo: number): KnownRoom | undefined {
    const entry = this.#rooms.get(roomNo);
    if (entry === undefined || entry.isStale) return undefined;
    const isJoined = this.#joined.get(userNo)?.has(roomNo) ?? false;
    return isJoined || this.#notifier.knownInterest(userNo)?.rooms.has(roomNo) === true ? entry.room : undefined;
  }

  /** Up to where it is known what happened in a room; 0: nothing is. */
  knownUpTo(roomNo: number): number {
    return this.#rooms.get(roomNo)?.room.lastPosition ?? 0;
  }

  /** Notes what was read of a room and a reader, with `known` as it was asked about, unless a commit seen since makes it void. */
  remember(row: RoomForReaderRow, known: number, userNo: number): KnownRoom {
    const { room_no: roomNo, head } = row;
    const before = this.#rooms.get(roomNo)?.room;
    const isGoneOn = before !== undefined && known > 0 && known <= before.lastPosition && row.is_intact;
    const room = {
      roomNo,
      roomId: row.room_id,
      version: row.version,
      snapshot: row.snapshot,
      lastPosition: row.last_position,
      joined: row.joined,
      intactSince: isGoneOn ? before.intactSince : row.last_position,
    };
    const isVoid = this.#notifier.mayHaveChanged({ userNo: NOBODY, rooms: new Set([roomNo]) }, head);
    if (!isVoid) this.#rooms.set(roomNo, { room, at: head, isStale: false });
    if (row.membership === MEMBERSHIP.join) this.#rememberJoined(userNo, roomNo, head);
    return room;
  }

  close(): void {
    for (const remove of this.#remove) remove();
  }

  #rememberJoined(userNo: number, roomNo: number, head: number): void {
    if (this.#notifier.mayHaveChanged({ userNo, rooms: NO_ROOMS }, head)) return;
    const others = [...(this.#joined.get(userNo) ?? [])].filter(([other]) => other !== roomNo);
    this.#joined.set(userNo, new Map([...others.slice(1 - ROOMS_OF_READER), [roomNo, head]]));
  }

  /** What was read before a commit that touches the user. */
  #forgetJoined(userNo: number, last: number): void {
    const rooms = this.#joined.get(userNo);
    if (rooms === undefined) return;
    const newer = [...rooms].filter(([, at]) => at >= last);
    if (newer.length === 0) this.#joined.delete(userNo);
    else this.#joined.set(userNo, new Map(newer));
  }

  #onCommit({ last, rooms, users }: Commit): void {
    if (rooms === undefined || users === undefined) {
      this.#rooms.clear();
      this.#joined.clear();
      return;
    }
    for (const roomNo of rooms) {
      const entry = this.#rooms.get(roomNo);
      if (entry?.isStale === false && entry.at < last) this.#rooms.set(roomNo, { ...entry, isStale: true });
    }
    for (const userNo of users) this.#forgetJoined(userNo, last);
  }
}

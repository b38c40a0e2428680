import { tryAgainLater } from '../errors.ts';
import type { CacheFigures } from '../metrics.ts';
import type { RoomId } from '../room/identifiers.ts';
import type { Store } from '../storage/store.ts';
import { selectSnapshotChain } from '../storage/room-reads/select-snapshot-chain.ts';
import type { Commit } from '../storage/write-batch.ts';
import { loadRoomHead, type LoadedHead } from './load-room-head.ts';
import {
  fill,
  isRenewalDue,
  meets,
  newEntry,
  noteAbsentMembers,
  want,
  type HeadEntry,
  type HeadNeeds,
} from './head-entry.ts';
import { weighHead } from './head-weight.ts';
import { missingState, type RoomHead } from './room-head.ts';
import type { StateName } from './room-writer.ts';

/** How much is kept. */
export interface HeadLimits {
  readonly rooms: number;
  /** State entries of all rooms together. */
  readonly entries: number;
  readonly bytes: number;
  /** A room with more starts again with none: its members are loaded as they speak. */
  readonly entriesPerRoom: number;
  readonly bytesPerRoom: number;
}

const HEAD_LIMITS: HeadLimits = {
  rooms: 2000,
  entries: 20_000,
  bytes: 32_000_000,
  entriesPerRoom: 4000,
  bytesPerRoom: 8_000_000,
};
/** Loads that one request waits for; more means that the room never stands still long enough. */
const MAX_LOADS = 32;

/**
 * Bounded cache of room heads. A head is a guess: the store refuses what is built on an old state. More state of a head that still
 * holds is added while events are built on it. A whole head is read only while nothing of this replica is under way in the room, and
 * nothing is built meanwhile: a load never undoes what has just been written.
 */
export class RoomHeads {
  readonly #store: Store;
  readonly #limits: HeadLimits;
  readonly #entries = new Map<RoomId, HeadEntry>();
  readonly #byNumber = new Map<number, HeadEntry>();
  readonly #unsubscribe: (() => void)[];
  #stateEntries = 0;
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  #generation = 0;

  constructor(store: Store, limits: HeadLimits = HEAD_LIMITS) {
    this.#store = store;
    this.#limits = limits;
    this.#unsubscribe = [
      store.caches.watch('room_heads', this),
      store.feed.onCommit((commit) => {
        this.#note(commit);
      }),
      store.feed.onReset(() => {
        this.#generation += 1;
        for (const entry of this.#entries.values()) this.#forget(entry);
      }),
    ];
  }

  /** Grows when a failover may have taken back what was committed: what is known from before it is not to be kept. */
  get generation(): number {
    return this.#generation;
  }

  figures(): CacheFigures {
    return { entries: this.#stateEntries, bytes: this.#bytes, hits: this.#hits, misses: this.#misses };
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** The head, if events can be built on it now; undefined while it is missing or being read. */
  usable(roomId: RoomId): RoomHead | undefined {
    const entry = this.#entries.get(roomId);
    return entry?.blocked === false ? entry.head : undefined;
  }

  /** True when `needs` are met without asking the database. */
  has(roomId: RoomId, needs: HeadNeeds): boolean {
    const entry = this.#entries.get(roomId);
    if (entry === undefined || needs.fresh || isRenewalDue(entry)) return false;
    if (entry.head !== undefined && noteAbsentMembers(entry.head, needs.names, this.#store.names)) this.#weigh(entry);
    const isMet = meets(entry, needs);
    if (isMet) this.#hits += 1;
    return isMet;
  }

  /**
   * Loads what is missing of a head, one query for all callers that wait; undefined when we do not know the room.
   * Errors: M_UNKNOWN with 503 when the database is away or the room does not stand still.
   */
  async ensure(roomId: RoomId, needs: HeadNeeds): Promise<RoomHead | undefined> {
    const entry = this.#entry(roomId);
    this.#misses += 1;
    const before = entry.loadsStarted;
    const mustLoad = needs.fresh || isRenewalDue(entry);
    if (isRenewalDue(entry)) entry.renew = true;
    if (mustLoad) want(entry, needs.names);
    for (let load = 0; load < MAX_LOADS; load += 1) {
      if ((!mustLoad || entry.loadsDone > before) && meets(entry, needs)) return entry.head;
      await this.#loadMissing(entry, needs);
      // A load that began before this call may have missed a room made since.
      if (entry.unknown && entry.loadsDone > before) return undefined;
    }
    throw tryAgainLater('The room is too busy: try again later.');
  }

  #loadMissing(entry: HeadEntry, needs: HeadNeeds): Promise<void> {
    want(entry, entry.head === undefined ? needs.names : missingState(entry.head.state, needs.names));
    entry.wantsChain ||= needs.chain && entry.head?.chain === undefined;
    entry.loading ??= this.#load(entry);
    return entry.loading;
  }

  /** Marks the room as part of the batch under way; `done` settles, without failing, once the outcome is noted here. */
  hold(roomId: RoomId, done: Promise<void>): void {
    const entry = this.#entries.get(roomId);
    if (entry !== undefined) entry.inFlight = done;
  }

  release(roomId: RoomId): void {
    const entry = this.#entries.get(roomId);
    if (entry !== undefined) entry.inFlight = undefined;
  }

  /** Takes over what this replica has committed: the new head of a room, or a new room's first. */
  put(head: RoomHead): void {
    const entry = this.#entry(head.roomId);
    if (head.snapshot === entry.head?.snapshot) head.chain ??= entry.head.chain;
    entry.head = head;
    entry.unknown = false;
    this.#weigh(entry);
    const { entries, bytes } = entry.weight;
    if (entries > this.#limits.entriesPerRoom || bytes > this.#limits.bytesPerRoom) {
      head.state = new Map();
      head.chain = undefined;
      this.#weigh(entry);
    }
    this.#byNumber.set(head.roomNo, entry);
    this.#evict();
  }

  /** Forgets a head that turned out to be old or doubtful. */
  drop(roomId: RoomId): void {
    const entry = this.#entries.get(roomId);
    if (entry !== undefined) this.#forget(entry);
  }

  #entry(roomId: RoomId): HeadEntry {
    const entry = this.#entries.get(roomId) ?? newEntry(roomId);
    // Last in the map is last used.
    this.#entries.delete(roomId);
    this.#entries.set(roomId, entry);
    return entry;
  }

  #note(commit: Commit): void {
    if (commit.replica === this.#store.replica.replicaNo) return;
    if (commit.rooms === undefined) {
      for (const entry of this.#entries.values()) entry.stale = true;
      return;
    }
    for (const roomNo of commit.rooms) {
      const entry = this.#byNumber.get(roomNo);
      if (entry !== undefined) entry.stale = true;
    }
  }

  async #load(entry: HeadEntry): Promise<void> {
    try {
      const whole = entry.renew || entry.head === undefined;
      if (whole) await this.#block(entry);
      entry.loadsStarted += 1;
      const generation = this.#generation;
      const names = [...entry.wanted.values()];
      entry.wanted = new Map();
      const loaded = await loadRoomHead(this.#store, entry.roomId, names);
      entry.unknown = loaded === undefined;
      if (loaded === undefined) this.#remove(entry);
      else if (whole) this.#replace(entry, loaded, names);
      else this.#add(entry, loaded, names);
      await this.#loadChain(entry);
      if (generation !== this.#generation) this.#forget(entry);
      entry.loadsDone = entry.loadsStarted;
    } finally {
      entry.loading = undefined;
      entry.blocked = false;
      this.#evict();
    }
  }

  async #block(entry: HeadEntry): Promise<void> {
    entry.blocked = true;
    await entry.inFlight;
    entry.renew = false;
    entry.stale = false;
    entry.renewedAt = performance.now();
  }

  #replace(entry: HeadEntry, loaded: LoadedHead, names: readonly StateName[]): void {
    const { head } = entry;
    const { roomNo, rules, snapshot, tips } = loaded;
    const same = head !== undefined && head.snapshot === snapshot;
    const kept = same ? { state: head.state, chain: head.chain } : { state: new Map(), chain: undefined };
    entry.head = { roomNo, roomId: entry.roomId, rules, snapshot, tips, ...kept };
    fill(entry.head, loaded, names);
    this.#weigh(entry);
    this.#byNumber.set(roomNo, entry);
  }

  /** State that belongs to another snapshot than the head's is of no use: the whole head is read next. */
  #add(entry: HeadEntry, loaded: LoadedHead, names: readonly StateName[]): void {
    const { head } = entry;
    if (head?.snapshot !== loaded.snapshot) {
      entry.renew = true;
      want(entry, names);
      return;
    }
    fill(head, loaded, names);
    this.#weigh(entry);
  }

  async #loadChain(entry: HeadEntry): Promise<void> {
    const { head } = entry;
    if (head === undefined || !entry.wantsChain) return;
    entry.wantsChain = false;
    if (head.chain !== undefined) return;
    const chain = await selectSnapshotChain(this.#store.db, head.snapshot);
    if (entry.head?.snapshot !== head.snapshot) return;
    entry.head.chain = chain;
    this.#weigh(entry);
  }

  /** After each change of a head: keeps the sums right. What a head weighed before is noted with it, for its state may have grown. */
  #weigh(entry: HeadEntry): void {
    const weight = weighHead(entry.head, entry.weight);
    this.#stateEntries += weight.entries - entry.weight.entries;
    this.#bytes += weight.bytes - entry.weight.bytes;
    entry.weight = weight;
  }

  #forget(entry: HeadEntry): void {
    if (entry.head !== undefined && this.#byNumber.get(entry.head.roomNo) === entry) {
      this.#byNumber.delete(entry.head.roomNo);
    }
    entry.head = undefined;
    this.#weigh(entry);
  }

  #remove(entry: HeadEntry): void {
    this.#forget(entry);
    if (this.#entries.get(entry.roomId) === entry) this.#entries.delete(entry.roomId);
  }

  #evict(): void {
    const { rooms, entries, bytes } = this.#limits;
    for (const entry of this.#entries.values()) {
      if (this.#entries.size <= rooms && this.#stateEntries <= entries && this.#bytes <= bytes) return;
      if (entry.loading === undefined && entry.inFlight === undefined) this.#remove(entry);
    }
  }
}

import type { RoomId } from '../room/identifiers.ts';
import { NO_WEIGHT, type HeadWeight } from './head-weight.ts';
import type { LoadedHead } from './load-room-head.ts';
import { missingState, stateKeyText, type RoomHead } from './room-head.ts';
import type { StateName } from './room-writer.ts';
import { entryOf } from '../storage/snapshot-delta.ts';
import type { Names } from '../storage/write-batch.ts';

/** Tips that another replica adds are looked up no more often than this: reading them keeps this replica from building. */
const RENEW_EVERY_MS = 20;

/** What a caller wants to find in a head. */
export interface HeadNeeds {
  readonly names: readonly StateName[];
  readonly chain: boolean;
  /** The state has to be compared with the database after the call began. */
  readonly fresh: boolean;
}

/** A room in the cache of heads, whether its head is there or not. */
export interface HeadEntry {
  readonly roomId: RoomId;
  head: RoomHead | undefined;
  /** The last load found no such room. */
  unknown: boolean;
  /** Another replica has written since the whole head was last read. */
  stale: boolean;
  renewedAt: number;
  /** The next load reads the whole head; building has to wait for it. */
  renew: boolean;
  blocked: boolean;
  wanted: Map<string, StateName>;
  wantsChain: boolean;
  weight: HeadWeight;
  loadsStarted: number;
  loadsDone: number;
  loading: Promise<void> | undefined;
  /** Settles when the batch that holds this room has come back. */
  inFlight: Promise<void> | undefined;
}

/** An entry of which nothing is known. */
export function newEntry(roomId: RoomId): HeadEntry {
  return {
    roomId,
    head: undefined,
    unknown: false,
    stale: false,
    renewedAt: 0,
    renew: false,
    blocked: false,
    wanted: new Map(),
    wantsChain: false,
    weight: NO_WEIGHT,
    loadsStarted: 0,
    loadsDone: 0,
    loading: undefined,
    inFlight: undefined,
  };
}

/** Another replica has written, and the last look at it was some time ago. */
export function isRenewalDue(entry: HeadEntry): boolean {
  return entry.stale && performance.now() - entry.renewedAt > RENEW_EVERY_MS;
}

/** The head is there, is not known to be old, may be built on, and has all that is needed. */
export function meets(entry: HeadEntry, needs: HeadNeeds): boolean {
  const { head } = entry;
  if (head === undefined || entry.renew || entry.blocked || (needs.chain && head.chain === undefined)) return false;
  return missingState(head.state, needs.names).length === 0;
}

/** Notes what the next load is to bring. */
export function want(entry: HeadEntry, names: readonly StateName[]): void {
  for (const name of names) entry.wanted.set(stateKeyText(name[0], name[1]), name);
}

/**
 * Adds loaded state to a head. Entries that are there already stay: they are of the same snapshot, or newer and not committed when this
 * was read.
 */
export function fill(head: RoomHead, loaded: LoadedHead, names: readonly StateName[]): void {
  const found = new Map(
    loaded.found.map((entry) => [stateKeyText(entry.event.type, entry.event.stateKey ?? ''), entry]),
  );
  for (const [type, stateKey] of names) {
    const key = stateKeyText(type, stateKey);
    if (!head.state.has(key)) head.state.set(key, found.get(key) ?? null);
  }
}

/**
 * Notes of users without a membership that they have none, where the snapshots tell: who joins for the first time is looked up nowhere.
 * True when something was noted.
 */
export function noteAbsentMembers(
  head: RoomHead,
  names: readonly StateName[],
  known: Pick<Names, 'knownUserNo'>,
): boolean {
  const { chain, state } = head;
  if (chain === undefined || chain.length === 0) return false;
  const absent = missingState(state, names).filter(([type, userId]) => {
    const userNo = type === 'm.room.member' ? known.knownUserNo(userId) : undefined;
    return userNo !== undefined && entryOf(chain, 'member', userNo) === undefined;
  });
  for (const [type, userId] of absent) state.set(stateKeyText(type, userId), null);
  return absent.length > 0;
}

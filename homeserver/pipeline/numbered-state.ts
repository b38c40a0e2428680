import { nextSnapshot, stateOf, type SnapshotChain, type StateChanges } from '../storage/snapshot-delta.ts';
import type { Store } from '../storage/store.ts';
import { insertSnapshot } from '../storage/tables/snapshots.ts';
import type { Names, StateName } from '../storage/write-batch.ts';

/** A complete state by numbers: a state key's number, or a user's below zero -> the number of the event that holds. */
export type NumberedState = ReadonlyMap<number, number>;

export function numberedState(chain: SnapshotChain): NumberedState {
  const { keys, members } = stateOf(chain);
  const state = new Map(keys);
  for (const [userNo, eventNo] of members) state.set(-userNo, eventNo);
  return state;
}

/** What a `NumberedState` has entries under, in their order. */
export async function stateNumbers(names: Names, entries: readonly StateName[]): Promise<number[]> {
  const isMember = ([type]: StateName) => type === 'm.room.member';
  const others = entries.filter((entry) => !isMember(entry));
  const [users, keys] = await Promise.all([
    names.userNos(entries.filter(isMember).map(([, userId]) => userId)),
    names.stateKeyNos(others),
  ]);
  const keyNos = new Map(others.map((entry, at) => [entry, keys[at] ?? 0]));
  return entries.map((entry) => keyNos.get(entry) ?? -(users.get(entry[1]) ?? 0));
}

export interface MergedState {
  /** The states that were merged. */
  readonly parents: readonly { readonly chain: SnapshotChain; readonly state: NumberedState }[];
  readonly unconflicted: NumberedState;
  /** The entries that hold beside them. */
  readonly resolved: NumberedState;
}

/** The snapshot of a merged state: a parent's if it is the same state, or a new one on the parent that differs least. */
export async function storeState(store: Store, roomNo: number, merged: MergedState): Promise<number> {
  const final = new Map([...merged.unconflicted, ...merged.resolved]);
  const candidates = merged.parents
    .map(({ chain, state }) => ({ chain, changes: changesTo(final, state) }))
    .sort((a, b) => sizeOf(a.changes) - sizeOf(b.changes));
  const [nearest] = candidates;
  if (nearest === undefined) throw new Error('a state is merged from none');
  if (sizeOf(nearest.changes) === 0) return nearest.chain[0]?.snapshot ?? 0;
  const { row } = nextSnapshot(await store.numbers.nextSnapshot(), nearest.chain, nearest.changes);
  await insertSnapshot(store.db, roomNo, row);
  return row.snapshot;
}

/** What makes one state of the other; event 0: absent from then on. */
export function changesTo(final: NumberedState, before: NumberedState): StateChanges {
  const keys = new Map<number, number>();
  const members = new Map<number, number>();
  const note = (key: number, eventNo: number) => (key < 0 ? members.set(-key, eventNo) : keys.set(key, eventNo));
  for (const [key, eventNo] of final) if (before.get(key) !== eventNo) note(key, eventNo);
  for (const key of before.keys()) if (!final.has(key)) note(key, 0);
  return { keys, members };
}

function sizeOf({ keys, members }: StateChanges): number {
  return keys.size + members.size;
}

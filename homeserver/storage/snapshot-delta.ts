import type { NewSnapshot } from './write-batch.ts';

/** One stored snapshot: the difference to `base`; `base` 0 holds the complete state. */
export type SnapshotLink = NewSnapshot;

/** A snapshot with all its bases: newest first, the last one complete (`base` 0). Empty: a room without state. */
export type SnapshotChain = readonly SnapshotLink[];

/** What a state event changes: number of the key (or user) -> number of the event, 0: absent from now on. */
export interface StateChanges {
  keys: ReadonlyMap<number, number>;
  members: ReadonlyMap<number, number>;
}

/** Complete state: state key number -> event number, user number -> number of the m.room.member event. */
export interface StateEntries {
  keys: Map<number, number>;
  members: Map<number, number>;
}

/**
 * The snapshot after `changes` on the state of `chain`, and its own chain. Snapshot i takes as base the one at i - 4^k, 4^k
 * being the largest power of 4 that divides i, and holds everything that changed since; where that is not smaller than the
 * complete state, it holds the complete state. 10,000 joins then 10,000 changes: 5.6 entries each, chains of at most 21.
 */
export function nextSnapshot(
  snapshot: number,
  chain: SnapshotChain,
  changes: StateChanges,
): { row: NewSnapshot; chain: SnapshotChain } {
  const ordinal = (chain[0]?.ordinal ?? -1) + 1;
  const baseAt = basePosition(chain, ordinal);
  const base = chain[baseAt];
  const delta = mergeChanges(chain.slice(0, baseAt), changes);
  if (base !== undefined && isSmaller(delta, chain, changes)) {
    const row = { snapshot, base: base.snapshot, ordinal, ...sortedPairs(delta) };
    return { row, chain: [row, ...chain.slice(baseAt)] };
  }
  const row = { snapshot, base: 0, ordinal, ...sortedPairs(withoutAbsent(mergeChanges(chain, changes))) };
  return { row, chain: [row] };
}

/** The complete state that a chain stands for. */
export function stateOf(chain: SnapshotChain): StateEntries {
  return withoutAbsent(mergeChanges(chain, { keys: new Map(), members: new Map() }));
}

/** The number of the event that holds for a key, or of a user's membership; undefined: absent. */
export function entryOf(chain: SnapshotChain, kind: 'key' | 'member', key: number): number | undefined {
  for (const link of chain) {
    const [keys, events] = kind === 'key' ? [link.keys, link.events] : [link.members, link.memberEvents];
    const at = indexOfSorted(keys, key);
    if (at >= 0) return events[at] === 0 ? undefined : events[at];
  }
  return undefined;
}

/** What makes the state of `to` of that of `from`. Looks no further back than where the chains part. */
export function changesBetween(from: SnapshotChain, to: SnapshotChain): StateEntries {
  const shared = new Set(from.map((link) => link.snapshot));
  const meet = to.find((link) => shared.has(link.snapshot))?.snapshot;
  const apart = [from, to].flatMap((chain) => {
    const at = chain.findIndex((link) => link.snapshot === meet);
    return at < 0 ? chain : chain.slice(0, at);
  });
  return {
    keys: differing(from, to, { kind: 'key', named: apart.flatMap((link) => link.keys) }),
    members: differing(from, to, { kind: 'member', named: apart.flatMap((link) => link.members) }),
  };
}

function differing(
  from: SnapshotChain,
  to: SnapshotChain,
  { kind, named }: { kind: 'key' | 'member'; named: readonly number[] },
): Map<number, number> {
  const changes = new Map<number, number>();
  for (const key of new Set(named)) {
    const after = entryOf(to, kind, key);
    if (after !== entryOf(from, kind, key)) changes.set(key, after ?? 0);
  }
  return changes;
}

/** Ordinal of the base that the rule wants for snapshot `ordinal`; -1 for the first one. */
export function wantedBase(ordinal: number): number {
  if (ordinal === 0) return -1;
  let power = 1;
  while (ordinal % (power * 4) === 0) power *= 4;
  return ordinal - power;
}

/** Where in the chain the base stands: the oldest link that is not older than the rule wants (a chain may have been cut). */
function basePosition(chain: SnapshotChain, ordinal: number): number {
  const wanted = wantedBase(ordinal);
  const tooOld = chain.findIndex((link) => link.ordinal < wanted);
  return tooOld < 0 ? chain.length - 1 : tooOld - 1;
}

/** The changes of `links` (newest first) and `changes`, which are newer still, as one. */
function mergeChanges(links: SnapshotChain, changes: StateChanges): StateEntries {
  const merged: StateEntries = { keys: new Map(), members: new Map() };
  for (const link of links.toReversed()) {
    link.keys.forEach((key, i) => merged.keys.set(key, link.events[i] ?? 0));
    link.members.forEach((key, i) => merged.members.set(key, link.memberEvents[i] ?? 0));
  }
  changes.keys.forEach((event, key) => merged.keys.set(key, event));
  changes.members.forEach((event, key) => merged.members.set(key, event));
  return merged;
}

/** Counting the complete state costs as much as building it, so a lower bound of its size is tried first. */
function isSmaller(delta: StateEntries, chain: SnapshotChain, changes: StateChanges): boolean {
  const size = delta.keys.size + delta.members.size;
  if (size < leastSize(chain, changes)) return true;
  const full = withoutAbsent(mergeChanges(chain, changes));
  return size < full.keys.size + full.members.size;
}

/** What any one link holds is still there, but for what newer ones took away. */
function leastSize(chain: SnapshotChain, changes: StateChanges): number {
  let absent = countAbsent([...changes.keys.values(), ...changes.members.values()]);
  let least = 0;
  for (const link of chain) {
    const absentHere = countAbsent(link.events) + countAbsent(link.memberEvents);
    least = Math.max(least, link.events.length + link.memberEvents.length - absentHere - absent);
    absent += absentHere;
  }
  return least;
}

function countAbsent(events: readonly number[]): number {
  let count = 0;
  for (const event of events) if (event === 0) count += 1;
  return count;
}

function withoutAbsent(entries: StateEntries): StateEntries {
  const present = (map: Map<number, number>) => new Map([...map].filter(([, event]) => event !== 0));
  return { keys: present(entries.keys), members: present(entries.members) };
}

function sortedPairs(entries: StateEntries): Pick<NewSnapshot, 'keys' | 'events' | 'members' | 'memberEvents'> {
  const keys = sorted(entries.keys);
  const members = sorted(entries.members);
  return {
    keys: keys.map(([key]) => key),
    events: keys.map(([, event]) => event),
    members: members.map(([key]) => key),
    memberEvents: members.map(([, event]) => event),
  };
}

function sorted(map: ReadonlyMap<number, number>): [number, number][] {
  return [...map].sort(([a], [b]) => a - b);
}

function indexOfSorted(keys: readonly number[], key: number): number {
  let low = 0;
  let high = keys.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = keys[middle] ?? Infinity;
    if (found === key) return middle;
    if (found < key) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

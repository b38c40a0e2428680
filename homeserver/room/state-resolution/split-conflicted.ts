import type { RoomVersionRules } from '../room-versions.ts';

/** States taken apart: what they agree on, and the values of each entry on which they do not. */
export interface SplitStates<Key, Value> {
  readonly unconflicted: Map<Key, Value>;
  readonly conflicts: Map<Key, Set<Value>>;
}

/**
 * Takes states apart, whatever stands for their keys and events. In algorithm v1 an entry that some states lack is no
 * conflict; in the later ones it is.
 *
 * Spec: room version 1, "State resolution"; room version 2, "Unconflicted state map and conflicted state set".
 */
export function splitConflicted<Key, Value>(
  states: readonly ReadonlyMap<Key, Value>[],
  algorithm: RoomVersionRules['stateResolution'],
): SplitStates<Key, Value> {
  const counts = new Map<Key, { value: Value; count: number }>();
  const conflicts = new Map<Key, Set<Value>>();
  for (const state of states) {
    for (const [key, value] of state) count(key, value, { counts, conflicts });
  }
  const unconflicted = new Map<Key, Value>();
  for (const [key, { value, count: seen }] of counts) {
    if (conflicts.has(key)) continue;
    if (seen === states.length || algorithm === 'v1') unconflicted.set(key, value);
    else conflicts.set(key, new Set([value]));
  }
  return { unconflicted, conflicts };
}

interface Counting<Key, Value> {
  readonly counts: Map<Key, { value: Value; count: number }>;
  readonly conflicts: Map<Key, Set<Value>>;
}

function count<Key, Value>(key: Key, value: Value, { counts, conflicts }: Counting<Key, Value>): void {
  const seen = counts.get(key);
  if (seen === undefined) {
    counts.set(key, { value, count: 1 });
    return;
  }
  seen.count++;
  if (seen.value === value) return;
  const values = conflicts.get(key);
  if (values === undefined) conflicts.set(key, new Set([seen.value, value]));
  else values.add(value);
}

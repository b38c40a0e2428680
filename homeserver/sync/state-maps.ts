import { selectChains } from '../storage/sync-reads/select-state.ts';
import type { SnapshotLinkRow } from '../storage/sync-reads/select-state.ts';
import type { Session } from './session.ts';

/** The state at a snapshot: number of the state key, or of the member, -> number of the event. */
export interface StateMap {
  readonly keys: ReadonlyMap<number, number>;
  readonly members: ReadonlyMap<number, number>;
}

export const EMPTY_STATE: StateMap = { keys: new Map(), members: new Map() };

/** The whole state at each of the snapshots, with or without members, in one query. */
export async function loadStates(
  session: Session,
  snapshots: readonly number[],
  members: boolean,
): Promise<Map<number, StateMap>> {
  const wanted = [...new Set(snapshots)].filter((snapshot) => snapshot !== 0);
  if (wanted.length === 0) return new Map();
  const chains = Map.groupBy(await selectChains(session.db, wanted, members), (link) => link.want);
  return new Map([...chains].map(([snapshot, links]) => [snapshot, merge(links)]));
}

/** Nearest link first: what it says of a key stands. */
function merge(links: readonly SnapshotLinkRow[]): StateMap {
  const keys = new Map<number, number>();
  const members = new Map<number, number>();
  for (const link of links) {
    fill(keys, link.keys, link.events);
    fill(members, link.members, link.member_events);
  }
  return { keys: present(keys), members: present(members) };
}

function fill(into: Map<number, number>, keys: readonly number[], events: readonly number[]): void {
  for (const [i, key] of keys.entries()) if (!into.has(key)) into.set(key, events[i] ?? 0);
}

/** Event 0 stands for "absent". */
function present(map: Map<number, number>): Map<number, number> {
  for (const [key, event] of map) if (event === 0) map.delete(key);
  return map;
}

import { BoundedCache, type CacheBound } from './bounded-cache.ts';
import type { CacheFigures } from './metrics.ts';

/** The registry of what a replica keeps in memory to save itself work: label `cache` of the metrics -> what is kept. */
export const CACHES = {
  access_tokens: 'owners of access tokens, for a second',
  auth_chain_places: 'places of events in the auth chains of their rooms',
  event_type_names: 'names of numbered event types',
  event_types: 'numbers of event types',
  first_members: 'members that summaries of rooms name',
  ignored_users: 'whom readers of rooms ignore',
  joined_readers: 'rooms that readers are known to be joined to',
  known_rooms: 'rooms that are read, as they stand',
  lazy_members: 'members that devices with lazy loading have been told of',
  member_lists: 'membership events of rooms, as answers have them',
  memberships_at: 'memberships of users at state snapshots',
  own_facts: 'what only commits that name a user change of what their syncs read',
  presence_changes: 'newest changes of presence',
  presence_written: 'what was written of whose presence',
  push_rules: 'push rules of users, compiled',
  push_texts: 'texts of messages and names of readers, as push rules look at them',
  received_rooms: 'numbers and versions of rooms that other servers write to',
  recent_commits: 'the newest commits: whom they concern',
  recent_events: 'newest events of rooms, as those who count what is unread look at them',
  room_heads: 'the state that events of rooms are built on',
  room_news: 'what happened in rooms, for all who were told up to the same position',
  room_numbers: 'numbers of rooms',
  room_states: 'whole states of rooms at snapshots',
  seen_devices: 'when devices were last written down as used',
  state_keys: 'numbers of state keys',
  state_resolutions: 'outcomes of state resolutions',
  stored_filters: 'filters that clients have stored, compiled',
  timeline_pages: 'newest events of rooms, as they were read last',
  unread_counts: 'unread notifications of users in rooms',
  user_ids: 'names of numbered users',
  user_numbers: 'numbers of users',
  user_rooms: 'rooms of users who sync',
  visibility_at: 'history visibility at state snapshots',
} as const satisfies Record<string, string>;

export type CacheName = keyof typeof CACHES;

/** Anything that can say how full and how useful it is. */
export interface CountedCache {
  figures(): CacheFigures;
}

/** All caches of one replica, so that each can be watched. */
export class Caches {
  readonly #open = new Map<CacheName, Set<CountedCache>>();

  /** Opens a cache; it is watched as long as the replica runs. */
  bounded<K, V extends NonNullable<unknown>>(name: CacheName, bound: CacheBound<K, V>): BoundedCache<K, V> {
    const cache = new BoundedCache(bound);
    this.watch(name, cache);
    return cache;
  }

  /** Watches a cache that has a form of its own; gives back the end of that. Those of one name are added up. */
  watch(name: CacheName, cache: CountedCache): () => void {
    const same = this.#open.get(name) ?? new Set();
    this.#open.set(name, same.add(cache));
    return () => {
      same.delete(cache);
    };
  }

  *figures(): Generator<[CacheName, CacheFigures]> {
    for (const [name, same] of this.#open) yield [name, [...same].map((cache) => cache.figures()).reduce(add, NOTHING)];
  }
}

const NOTHING: CacheFigures = { entries: 0, bytes: 0, hits: 0, misses: 0 };

function add(one: CacheFigures, other: CacheFigures): CacheFigures {
  return {
    entries: one.entries + other.entries,
    bytes: one.bytes + other.bytes,
    hits: one.hits + other.hits,
    misses: one.misses + other.misses,
  };
}

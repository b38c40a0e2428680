import type { Caches } from '../caches.ts';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { BoundedCache } from '../bounded-cache.ts';
import type { Store } from '../storage/store.ts';
import { ChangesMemory } from './changes-memory.ts';
import { IgnoredMemory } from './ignored-memory.ts';
import type { JsonPiece } from './json-text.ts';
import { KnownRooms } from './known-rooms.ts';
import { LargeReads } from './large-reads.ts';
import { LazyMembers } from './lazy-members.ts';
import { ReadMemory } from './read-memory.ts';
import type { FirstMemberRow } from '../storage/sync-reads/select-members.ts';
import type { TimelineRow } from '../storage/sync-reads/select-timeline.ts';
import type { RecentEvents } from './countable-events.ts';
import { Notifier } from './notifier.ts';
import { PresenceFeed } from './presence-feed.ts';
import { PresenceWriter } from './presence.ts';
import { Typing } from './typing.ts';
import { UnreadMemory } from './unread-memory.ts';
import { VolatileSerial } from './volatile-serial.ts';
import type { CompiledFilter } from './compiled-filter.ts';
import type { LoadedPushRules } from './loaded-push-rules.ts';

/** What a replica keeps in memory for its syncing clients. Losing it costs time, never correctness. */
export interface SyncState {
  readonly notifier: Notifier;
  readonly typing: Typing;
  /** Number of this replica's newest change that has no position. */
  readonly serial: VolatileSerial;
  /** Undefined: nobody's presence is kept or told on this server. */
  readonly presence: PresenceState | undefined;
  readonly lazyMembers: LazyMembers;
  /** Stored filters by `<userNo>/<filterNo>`; they never change. */
  readonly filters: BoundedCache<string, StoredFilter>;
  /** History visibility by snapshot, and a user's membership by `<snapshot>/<userNo>`: snapshots never change. */
  readonly visibilityAt: BoundedCache<string, string>;
  readonly membershipAt: BoundedCache<string, string>;
  /** Push rules by user number, each with the position of their last change. */
  readonly pushRules: BoundedCache<string, LoadedPushRules>;
  readonly unread: UnreadMemory;
  readonly changes: ChangesMemory;
  readonly knownRooms: KnownRooms;
  readonly ignored: IgnoredMemory;
  /** Newest events of rooms. */
  readonly pages: ReadMemory<readonly TimelineRow[]>;
  /** Membership events of rooms, as answers have them. */
  readonly memberLists: ReadMemory<GivenList>;
  /** Whole states of rooms at snapshots. */
  readonly states: ReadMemory<GivenState>;
  /** Newest events of rooms, as those who count what is unread look at them. */
  readonly recentEvents: ReadMemory<RecentEvents>;
  /** `body/<eventNo>` of messages in which push rules look for names, and `displayname/<eventNo>` of membership events. */
  readonly pushTexts: ReadMemory<string>;
  /** The members that summaries of rooms name. */
  readonly firstMembers: ReadMemory<readonly FirstMemberRow[]>;
  /** What large answers under way take. */
  readonly largeReads: LargeReads;
  close(): Promise<void>;
}

/** An answer about the members of a room, ready to be given to anybody who is in it. */
export interface GivenList {
  /** As bytes: all who get it are sent the same. */
  body(now: number): Buffer;
  /** About the bytes of memory that it takes, the answer included. */
  readonly bytes: number;
}

/** The state of a room at a snapshot, as it is given to many. */
export interface GivenState {
  readonly room: { readonly roomNo: number; readonly roomId: string };
  /** Oldest first. */
  readonly rows: readonly TimelineRow[];
  /** The events without the room's id, with commas between; bytes where there are many. */
  json(now: number): JsonPiece;
}

interface StoredFilter {
  readonly compiled: CompiledFilter;
  /** Memory that it takes, about. */
  readonly bytes: number;
}

export interface PresenceState {
  readonly feed: PresenceFeed;
  readonly writer: PresenceWriter;
}

export interface SyncStateOptions {
  readonly store: Store;
  readonly config: HomeserverConfig;
  readonly metrics: Metrics;
  readonly log: Logger;
}

const SNAPSHOT_ENTRIES = 20_000;
const FILTERS = 1000;
const PUSH_RULES = 1000;
/** Filters and push rules may have some 100 kB each, as their users wish. */
const MAX_CHOSEN_BYTES = 8_000_000;
/** A page of 20 events has about 40 kB: those of an account in 500 rooms are kept. */
const MAX_PAGE_BYTES = 32_000_000;
/** A list of 10,000 members has about 10 MB, the answer included. */
const MAX_LIST_BYTES = 12_000_000;
/** A state of 50 events has about 120 kB, one of 10,000 members 24 MB, the text included. */
const MAX_STATE_BYTES = 32_000_000;
/** A thousand events of one room have about 30 kB. */
const MAX_RECENT_BYTES = 4_000_000;
const MAX_FIRST_BYTES = 1_000_000;
/** A message has about 300 bytes of it, a name about 200. */
const MAX_TEXT_BYTES = 3_000_000;

/** Opens what `/sync` keeps in memory, fed by the store's commits. */
export function openSyncState({ store, config, metrics, log }: SyncStateOptions): SyncState {
  const notifier = new Notifier(store, metrics.longPollsWaiting);
  const serial = new VolatileSerial();
  const typing = new Typing(store.feed, serial, (roomNo) => notifier.wakeRoom(roomNo));
  const parts = { db: store.db, feed: store.feed, notifier, serial, log: log.child({ component: 'presence' }) };
  const presence = config.presence.mode === 'Enabled' ? openPresence(store, parts) : undefined;
  const read = openReadCaches(store.caches);
  const lazyMembers = new LazyMembers();
  store.caches.watch('lazy_members', lazyMembers);
  const unread = new UnreadMemory(store);
  const knownRooms = new KnownRooms(store, notifier);
  const changes = new ChangesMemory(store, notifier);
  const ignored = new IgnoredMemory(store, notifier);
  const memories = openReadMemories(store);
  const removeReset = store.feed.onReset(() => {
    // After a failover that lost a tail, the numbers of lost snapshots, filters and rooms may be given out again.
    for (const cache of [...Object.values(read), lazyMembers]) cache.clear();
  });
  return {
    notifier,
    typing,
    serial,
    presence,
    lazyMembers,
    ...read,
    unread,
    changes,
    knownRooms,
    ignored,
    largeReads: new LargeReads({ bytes: metrics.largeAnswerBytes, waiting: metrics.largeAnswersWaiting }),
    ...memories,
    close: async () => {
      removeReset();
      for (const part of [unread, changes, knownRooms, ignored, ...Object.values(memories)]) part.close();
      notifier.close();
      typing.close();
      presence?.feed.close();
      await presence?.writer.settled();
    },
  };
}

type ReadCaches = Pick<SyncState, 'filters' | 'visibilityAt' | 'membershipAt' | 'pushRules'>;

function openReadCaches(caches: Caches): ReadCaches {
  const snapshots = { entries: SNAPSHOT_ENTRIES, weigh: () => 100 };
  return {
    visibilityAt: caches.bounded('visibility_at', snapshots),
    membershipAt: caches.bounded('memberships_at', snapshots),
    filters: caches.bounded('stored_filters', {
      entries: FILTERS,
      bytes: MAX_CHOSEN_BYTES,
      weigh: (_key, filter) => filter.bytes,
    }),
    pushRules: caches.bounded('push_rules', {
      entries: PUSH_RULES,
      bytes: MAX_CHOSEN_BYTES,
      weigh: (_key, rules) => rules.bytes,
    }),
  };
}

type ReadMemories = Pick<SyncState, 'pages' | 'memberLists' | 'states' | 'recentEvents' | 'firstMembers' | 'pushTexts'>;

function openReadMemories(store: Store): ReadMemories {
  return {
    pages: new ReadMemory(store, 'timeline_pages', { entries: 5000, bytes: MAX_PAGE_BYTES }),
    memberLists: new ReadMemory(store, 'member_lists', { entries: 1000, bytes: MAX_LIST_BYTES }),
    states: new ReadMemory(store, 'room_states', { entries: 5000, bytes: MAX_STATE_BYTES }),
    recentEvents: new ReadMemory(store, 'recent_events', { entries: 5000, bytes: MAX_RECENT_BYTES }),
    firstMembers: new ReadMemory(store, 'first_members', { entries: 5000, bytes: MAX_FIRST_BYTES }),
    pushTexts: new ReadMemory(store, 'push_texts', { entries: 20_000, bytes: MAX_TEXT_BYTES }),
  };
}

function openPresence(store: Store, parts: ConstructorParameters<typeof PresenceFeed>[0]): PresenceState {
  const feed = new PresenceFeed(parts, (userNo) => {
    writer.forget(userNo);
  });
  const writer = new PresenceWriter(store.db, feed, parts.log);
  store.caches.watch('presence_changes', feed);
  store.caches.watch('presence_written', writer);
  store.feed.onReset(() => {
    writer.forgetAll();
  });
  return { feed, writer };
}

import type { MatrixError } from '../errors.ts';
import { tryAgainLater } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import { authStateKeys } from '../room/auth/select-auth-events.ts';
import type { RoomEvent } from '../room/event-format.ts';
import { parseEventId, type EventId } from '../room/identifiers.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import { stateMapKey } from '../room/state-map.ts';
import { splitConflicted, type SplitStates } from '../room/state-resolution/split-conflicted.ts';
import { EVENT_FLAGS } from '../storage/batch-arrays.ts';
import type { BoundedCache } from '../bounded-cache.ts';
import { selectResolutionEvents, type ResolutionEventRow } from '../storage/room-reads/select-resolution-events.ts';
import { selectSnapshotChain } from '../storage/room-reads/select-snapshot-chain.ts';
import type { Store } from '../storage/store.ts';
import { MAX_DIFFERENCE, type AuthChainIndex } from './auth-chain-index.ts';
import { numberedState, stateNumbers, storeState, type NumberedState } from './numbered-state.ts';
import type { ResolutionPool } from './resolution-pool.ts';
import { readStored, type ResolutionTask, type StateEntryPair } from './resolution-task.ts';
import type { StateName } from './room-writer.ts';

/** Most events that one resolution reads: the difference, auth events and lines of power levels. */
const MAX_EVENTS = 100_000;
/** Outcomes kept: the same tips are resolved for every event that names them. */
const MAX_KEPT = 1000;
/** How long an outcome is given out, ms: later it may be collected, if nothing has come to name it (workers/collect-snapshots.ts). */
const KEPT_MS = 3_600_000;

/** A room as a resolution needs it. */
export interface ResolvedRoom {
  readonly roomNo: number;
  readonly rules: RoomVersionRules;
}

export interface StateResolverParts {
  readonly store: Store;
  readonly index: AuthChainIndex;
  readonly pool: Pick<ResolutionPool, 'run'>;
  /** Told how long each resolution took that was not known from before. */
  readonly seconds?: Pick<Metrics['resolutionSeconds'], 'startTimer'>;
}

/** Resolves states by their snapshots. The outcome is stored as a snapshot like any other. */
export class StateResolver {
  readonly #parts: StateResolverParts;
  readonly #kept: BoundedCache<string, { readonly snapshot: number; readonly at: number }>;

  constructor(parts: StateResolverParts) {
    this.#parts = parts;
    this.#kept = parts.store.caches.bounded('state_resolutions', {
      entries: MAX_KEPT,
      weigh: (name) => 100 + name.length,
    });
    parts.store.feed.onReset(() => {
      this.#kept.clear();
    });
  }

  /**
   * The snapshot of the state that these make together: one of them if it holds, or else a new one, the same for the same
   * snapshots in whatever order. Errors: M_UNKNOWN with 503 when they differ in more than can be worked out.
   */
  async resolve(room: ResolvedRoom, snapshots: readonly number[]): Promise<number> {
    const distinct = [...new Set(snapshots)].sort((a, b) => a - b);
    const [first, second] = distinct;
    if (first === undefined) return 0;
    if (second === undefined) return first;
    const name = distinct.join(' ');
    const begun = performance.now();
    const known = this.#kept.get(name);
    if (known !== undefined && begun - known.at < KEPT_MS) return known.snapshot;
    const stop = this.#parts.seconds?.startTimer();
    const resolved = await this.#resolve(room, distinct);
    stop?.();
    this.#kept.set(name, { snapshot: resolved, at: begun });
    return resolved;
  }

  async #resolve(room: ResolvedRoom, snapshots: readonly number[]): Promise<number> {
    const { store } = this.#parts;
    const chains = await Promise.all(snapshots.map((snapshot) => selectSnapshotChain(store.db, snapshot)));
    const states = chains.map((chain) => numberedState(chain));
    const split = splitConflicted(states, room.rules.stateResolution);
    const resolved = split.conflicts.size === 0 ? new Map<number, number>() : await this.#settle(room, states, split);
    const parents = chains.map((chain, at) => ({ chain, state: states[at] ?? new Map<number, number>() }));
    return storeState(store, room.roomNo, { parents, unconflicted: split.unconflicted, resolved });
  }

  /** The events that hold where the states differ, by key number. */
  async #settle(room: ResolvedRoom, states: readonly NumberedState[], split: NumberedSplit): Promise<NumberedState> {
    const difference = await this.#difference(room, states, split);
    const conflicted = [...split.conflicts.values()].flatMap((eventNos) => [...eventNos]);
    const full = new Set([...conflicted, ...difference]);
    if (full.size > MAX_DIFFERENCE) throw tooFarApart();
    const events = new KnownEvents(room.rules);
    await this.#load(events, [...full]);
    if (conflicted.some((eventNo) => !events.byNo.has(eventNo)))
      throw new Error('a state names an event that is not stored');
    const names = await this.#namesIn(events, full);
    const wanted = [...names.values()].flatMap((key) => split.unconflicted.get(key) ?? []);
    await this.#load(events, wanted);
    const entries = await this.#parts.pool.run(taskOf({ events, names, split, difference }));
    return numbersOf(entries, names, events);
  }

  async #difference(
    { roomNo, rules }: ResolvedRoom,
    states: readonly NumberedState[],
    split: NumberedSplit,
  ): Promise<number[]> {
    if (rules.stateResolution === 'v1') return [];
    const keys = [...split.conflicts.keys()];
    const perState = states.map((state) => keys.flatMap((key) => state.get(key) ?? []));
    return this.#parts.index.difference({ roomNo, rules, perState, unconflicted: [...split.unconflicted.values()] });
  }

  async #load(events: KnownEvents, eventNos: readonly number[]): Promise<void> {
    const missing = eventNos.filter((eventNo) => !events.byNo.has(eventNo));
    if (missing.length === 0) return;
    const { store } = this.#parts;
    const powerLevelsNo = await store.names.stateKeyNo('m.room.power_levels', '');
    const rows = await selectResolutionEvents(store.db, { eventNos: missing, powerLevelsNo }, MAX_EVENTS + 1);
    if (rows.length > MAX_EVENTS) throw tooFarApart();
    for (const row of rows) events.add(row);
  }

  /** Numbers of all state entries that checking the conflict looks at, and of those it is about, by `stateMapKey`. */
  async #namesIn(events: KnownEvents, full: ReadonlySet<number>): Promise<Map<string, number>> {
    const names = new Map<string, StateName>();
    for (const eventNo of full) {
      const event = events.viewOf(eventNo);
      if (event?.stateKey === undefined) continue;
      for (const name of [...authStateKeys(event, events.rules), [event.type, event.stateKey] as const]) {
        names.set(stateMapKey(...name), name);
      }
    }
    return this.#numbersOf(names);
  }

  async #numbersOf(names: ReadonlyMap<string, StateName>): Promise<Map<string, number>> {
    const entries = [...names];
    const numbers = await stateNumbers(
      this.#parts.store.names,
      entries.map(([, name]) => name),
    );
    return new Map(entries.map(([key], at) => [key, numbers[at] ?? 0]));
  }
}

type NumberedSplit = SplitStates<number, number>;

/** Events that a resolution has read. */
class KnownEvents {
  readonly rules: RoomVersionRules;
  readonly byNo = new Map<number, ResolutionEventRow & { id: EventId }>();
  readonly #numbers = new Map<EventId, number>();

  constructor(rules: RoomVersionRules) {
    this.rules = rules;
  }

  add(row: ResolutionEventRow): void {
    const id = parseEventId(row.event_id);
    if (id === undefined) throw new Error(`${row.event_id} is stored as an event id`);
    this.byNo.set(row.event_no, { ...row, id });
    this.#numbers.set(id, row.event_no);
  }

  viewOf(eventNo: number): RoomEvent | undefined {
    const row = this.byNo.get(eventNo);
    return row === undefined ? undefined : readStored({ eventId: row.id, json: row.json }, this.rules);
  }

  idsOf(eventNos: Iterable<number>): EventId[] {
    return [...eventNos].flatMap((eventNo) => this.byNo.get(eventNo)?.id ?? []);
  }

  numberOf(eventId: EventId): number | undefined {
    return this.#numbers.get(eventId);
  }
}

interface TaskParts {
  readonly events: KnownEvents;
  readonly names: ReadonlyMap<string, number>;
  readonly split: NumberedSplit;
  readonly difference: readonly number[];
}

function taskOf({ events, names, split, difference }: TaskParts): ResolutionTask {
  const rows = [...events.byNo.values()];
  const entries = [...names];
  return {
    version: events.rules.version,
    events: rows.map(({ id, json }) => ({ eventId: id, json })),
    rejected: rows.flatMap(({ id, flags }) => ((flags & EVENT_FLAGS.rejected) === 0 ? [] : [id])),
    unconflicted: entries.flatMap(([key, no]) => {
      const eventNo = split.unconflicted.get(no);
      return eventNo === undefined ? [] : events.idsOf([eventNo]).map((id) => [key, id] as const);
    }),
    conflicts: entries.flatMap(([key, no]) => {
      const eventNos = split.conflicts.get(no);
      return eventNos === undefined ? [] : [[key, events.idsOf(eventNos)] as const];
    }),
    difference: events.idsOf(difference),
  };
}

function numbersOf(
  entries: readonly StateEntryPair[],
  names: ReadonlyMap<string, number>,
  events: KnownEvents,
): Map<number, number> {
  const numbers = new Map<number, number>();
  for (const [key, eventId] of entries) {
    const no = names.get(key);
    const eventNo = events.numberOf(eventId);
    if (no === undefined || eventNo === undefined)
      throw new Error('a resolution gave an entry that it was not asked for');
    numbers.set(no, eventNo);
  }
  return numbers;
}

function tooFarApart(): MatrixError {
  return tryAgainLater('The states of the room differ in too much to be worked out.');
}

import {
  coverEvents,
  differenceOf,
  linksByChain,
  reachOf,
  subgraphOf,
  type ChainPoint,
} from '../room/state-resolution/chain-cover.ts';
import type { RoomVersionRules } from '../room/room-versions.ts';
import type { Database, Queryable } from '../storage/database.ts';
import { insertAuthChainLinks, selectAuthChainLinks } from '../storage/tables/auth_chain_links.ts';
import {
  insertAuthChainPoints,
  lockAuthChains,
  selectAuthChainEnds,
  selectAuthChainPoints,
  selectEventsInRanges,
  selectUncoveredEvents,
} from '../storage/tables/auth_chains.ts';
import type { BoundedCache } from '../bounded-cache.ts';
import type { Store } from '../storage/store.ts';

/** Places kept: they never change. About 100 bytes each. */
const MAX_POINTS = 200_000;
/** Most events that an auth difference may have; more is no conflict that a room comes into by itself. */
export const MAX_DIFFERENCE = 20_000;

/** States that differ, by event numbers. */
export interface NumberedConflict {
  readonly roomNo: number;
  readonly rules: RoomVersionRules;
  /** The conflicted events of each state. */
  readonly perState: readonly (readonly number[])[];
  /** What all states hold. */
  readonly unconflicted: readonly number[];
}

/** Auth chains of all rooms, as places in chains: what differs between states is found without walking over events. */
export class AuthChainIndex {
  readonly #db: Database;
  readonly #points: BoundedCache<number, ChainPoint>;
  readonly #unsubscribe: () => void;

  constructor(store: Pick<Store, 'db' | 'feed' | 'caches'>) {
    this.#db = store.db;
    this.#points = store.caches.bounded('auth_chain_places', { entries: MAX_POINTS, weigh: () => 100 });
    // What a failover has taken back may be given other places.
    this.#unsubscribe = store.feed.onReset(() => {
      this.#points.clear();
    });
  }

  close(): void {
    this.#unsubscribe();
  }

  /**
   * Numbers of the events of the auth difference and, where the room version wants it, of the conflicted state subgraph; more
   * than MAX_DIFFERENCE are cut off, so that the caller can refuse them.
   */
  async difference(conflict: NumberedConflict): Promise<number[]> {
    const { perState, unconflicted, rules } = conflict;
    const conflicted = [...new Set(perState.flat())];
    const points = await this.#pointsOf(conflict.roomNo, [...conflicted, ...unconflicted]);
    const placesOf = (eventNos: readonly number[]) => eventNos.flatMap((eventNo) => points.get(eventNo) ?? []);
    const chains = [...new Set([...points.values()].map(({ chain }) => chain))];
    const links = linksByChain(await selectAuthChainLinks(this.#db, chains));
    const shared = placesOf(unconflicted);
    const ranges = differenceOf(perState.map((eventNos) => reachOf([...shared, ...placesOf(eventNos)], links)));
    const subgraph = rules.stateResolution === 'v2.1' ? subgraphOf(placesOf(conflicted), links) : [];
    return [...new Set(await selectEventsInRanges(this.#db, [...ranges, ...subgraph], MAX_DIFFERENCE + 1))];
  }

  async #pointsOf(roomNo: number, eventNos: readonly number[]): Promise<Map<number, ChainPoint>> {
    const found = this.#known(eventNos);
    const missing = eventNos.filter((eventNo) => !found.has(eventNo));
    if (missing.length === 0) return found;
    const stored = await selectAuthChainPoints(this.#db, missing);
    const uncovered = missing.filter((eventNo) => !stored.has(eventNo));
    const covered = uncovered.length === 0 ? stored : await this.#cover(roomNo, missing);
    for (const [eventNo, point] of covered) {
      this.#points.set(eventNo, point);
      found.set(eventNo, point);
    }
    return found;
  }

  #known(eventNos: readonly number[]): Map<number, ChainPoint> {
    const found = new Map<number, ChainPoint>();
    for (const eventNo of eventNos) {
      const point = this.#points.get(eventNo);
      if (point !== undefined) found.set(eventNo, point);
    }
    return found;
  }

  /** Gives places to those of the events that lack one, and to all that they build on. */
  #cover(roomNo: number, eventNos: readonly number[]): Promise<Map<number, ChainPoint>> {
    return this.#db.transaction(async (db) => {
      await lockAuthChains(db, roomNo);
      const uncovered = await selectUncoveredEvents(db, eventNos);
      if (uncovered.length > 0) await storeCover(db, uncovered);
      return selectAuthChainPoints(db, eventNos);
    });
  }
}

async function storeCover(db: Queryable, uncovered: Awaited<ReturnType<typeof selectUncoveredEvents>>): Promise<void> {
  const points = await selectAuthChainPoints(db, [...new Set(uncovered.flatMap(({ auth }) => auth))]);
  const ends = await selectAuthChainEnds(db, [...new Set([...points.values()].map(({ chain }) => chain))]);
  const cover = coverEvents(uncovered, { points, ends });
  await insertAuthChainPoints(db, cover.points);
  await insertAuthChainLinks(db, cover.links);
}

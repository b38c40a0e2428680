/**
 * A cover of a room's auth events by chains: each event has a place in one chain, and an event reaches over its auth
 * events all earlier ones of its chain. Links tell what of other chains is reached. So what a state reaches is one number
 * for each chain, found without looking at the events between.
 *
 * A chain has the number of its first event for its own.
 */
export interface ChainPoint {
  readonly chain: number;
  /** 1 for the first event of the chain. */
  readonly seq: number;
}

/** From this place of its chain on, an event reaches that place of another chain. */
export interface ChainLink {
  readonly chain: number;
  readonly seq: number;
  readonly toChain: number;
  readonly toSeq: number;
}

/** An event without a place yet. */
export interface UncoveredEvent {
  readonly eventNo: number;
  readonly auth: readonly number[];
}

/** The parts of a room's cover that new places are made from. */
export interface KnownCover {
  /** Places of all auth events of the new events that have one. */
  readonly points: ReadonlyMap<number, ChainPoint>;
  /** The last place of each chain that stands in `points`. */
  readonly ends: ReadonlyMap<number, number>;
}

export interface NewCover {
  readonly points: Map<number, ChainPoint>;
  readonly links: ChainLink[];
}

/** Gives events their places: at the end of a chain that one of their auth events ends, or in a chain of their own. */
export function coverEvents(events: readonly UncoveredEvent[], known: KnownCover): NewCover {
  const points = new Map<number, ChainPoint>();
  const links: ChainLink[] = [];
  const ends = new Map(known.ends);
  for (const event of authEventsFirst(events)) {
    const auth = event.auth.flatMap((eventNo) => points.get(eventNo) ?? known.points.get(eventNo) ?? []);
    const before = auth.find(({ chain, seq }) => ends.get(chain) === seq);
    const point =
      before === undefined ? { chain: event.eventNo, seq: 1 } : { chain: before.chain, seq: before.seq + 1 };
    points.set(event.eventNo, point);
    ends.set(point.chain, point.seq);
    for (const [toChain, toSeq] of furthest(auth))
      if (toChain !== point.chain) links.push({ ...point, toChain, toSeq });
  }
  return { points, links };
}

/** The greatest place in each chain. */
export function furthest(points: Iterable<ChainPoint>): Map<number, number> {
  const found = new Map<number, number>();
  for (const { chain, seq } of points) found.set(chain, Math.max(found.get(chain) ?? 0, seq));
  return found;
}

/** How far into each chain one gets from those places, they included; `links` has all links of the chains on the way. */
export function reachOf(from: Iterable<ChainPoint>, links: LinksByChain): Map<number, number> {
  const reach = furthest(from);
  // A chain that is reached further than before is looked at again.
  const open = new Set(reach.keys());
  for (const chain of open) {
    open.delete(chain);
    for (const link of links.get(chain) ?? []) {
      if (link.seq > (reach.get(chain) ?? 0) || link.toSeq <= (reach.get(link.toChain) ?? 0)) continue;
      reach.set(link.toChain, link.toSeq);
      open.add(link.toChain);
    }
  }
  return reach;
}

export type LinksByChain = ReadonlyMap<number, readonly ChainLink[]>;

/** Links by the chain that they lead from. */
export function linksByChain(links: Iterable<ChainLink>): LinksByChain {
  return Map.groupBy(links, ({ chain }) => chain);
}

/** Places of a chain after `after`, up to and including `upTo`. */
export interface ChainRange {
  readonly chain: number;
  readonly after: number;
  readonly upTo: number;
}

/** Where the auth chains of states differ: what some reach and others do not. */
export function differenceOf(reaches: readonly ReadonlyMap<number, number>[]): ChainRange[] {
  const chains = new Set(reaches.flatMap((reach) => [...reach.keys()]));
  return [...chains].flatMap((chain) => {
    const ends = reaches.map((reach) => reach.get(chain) ?? 0);
    const range = { chain, after: Math.min(...ends), upTo: Math.max(...ends) };
    return range.after < range.upTo ? [range] : [];
  });
}

/** What lies on a way from one of the places to another, both included. */
export function subgraphOf(conflicted: readonly ChainPoint[], links: LinksByChain): ChainRange[] {
  const reach = reachOf(conflicted, links);
  const least = leastLeadingTo(conflicted, links);
  return [...reach].flatMap(([chain, upTo]) => {
    const from = least.get(chain);
    return from === undefined || from > upTo ? [] : [{ chain, after: from - 1, upTo }];
  });
}

/** For each chain the first place from which one of the places is reached. */
function leastLeadingTo(places: readonly ChainPoint[], links: LinksByChain): Map<number, number> {
  const least = new Map<number, number>();
  for (const { chain, seq } of places) least.set(chain, Math.min(least.get(chain) ?? seq, seq));
  const arriving = Map.groupBy([...links.values()].flat(), ({ toChain }) => toChain);
  const open = new Set(least.keys());
  for (const chain of open) {
    open.delete(chain);
    for (const link of arriving.get(chain) ?? []) {
      const leads = link.toSeq >= (least.get(chain) ?? Number.POSITIVE_INFINITY);
      if (!leads || link.seq >= (least.get(link.chain) ?? Number.POSITIVE_INFINITY)) continue;
      least.set(link.chain, link.seq);
      open.add(link.chain);
    }
  }
  return least;
}

/** The events in an order in which each comes after those of its auth events that are among them. */
function authEventsFirst(events: readonly UncoveredEvent[]): UncoveredEvent[] {
  const byNo = new Map(events.map((event) => [event.eventNo, event]));
  const citing = new Map<number, UncoveredEvent[]>();
  const waitsFor = new Map<UncoveredEvent, number>();
  for (const event of byNo.values()) {
    const open = [...new Set(event.auth)].filter((eventNo) => byNo.has(eventNo));
    waitsFor.set(event, open.length);
    for (const eventNo of open) citing.set(eventNo, [...(citing.get(eventNo) ?? []), event]);
  }
  const sorted = [...byNo.values()].filter((event) => waitsFor.get(event) === 0);
  // The list grows while it is walked.
  for (const { eventNo } of sorted) {
    for (const later of citing.get(eventNo) ?? []) {
      const left = (waitsFor.get(later) ?? 0) - 1;
      waitsFor.set(later, left);
      if (left === 0) sorted.push(later);
    }
  }
  return sorted;
}

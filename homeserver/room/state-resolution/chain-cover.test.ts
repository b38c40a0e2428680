import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  coverEvents,
  differenceOf,
  linksByChain,
  reachOf,
  subgraphOf,
  type ChainLink,
  type ChainPoint,
  type ChainRange,
} from './chain-cover.ts';

/** Event n has the auth events graph[n], all of them smaller. */
type Graph = readonly (readonly number[])[];

const graphs: fc.Arbitrary<Graph> = fc
  .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 2, maxLength: 40 })
  .map((lists) => lists.map((list, at) => (at === 0 ? [] : [...new Set(list.map((n) => n % at))])));

interface Cover {
  points: Map<number, ChainPoint>;
  links: ChainLink[];
}

/** Covers the graph in pieces, as it happens when events arrive; numbers start at 1. */
function cover(graph: Graph, piece: number): Cover {
  const points = new Map<number, ChainPoint>();
  const links: ChainLink[] = [];
  const events = graph.map((auth, at) => ({ eventNo: at + 1, auth: auth.map((n) => n + 1) }));
  for (let at = 0; at < events.length; at += piece) {
    const ends = new Map<number, number>();
    for (const { chain, seq } of points.values()) ends.set(chain, Math.max(seq, ends.get(chain) ?? 0));
    const more = coverEvents(events.slice(at, at + piece).toReversed(), { points, ends });
    for (const [eventNo, point] of more.points) points.set(eventNo, point);
    links.push(...more.links);
  }
  return { points, links };
}

function chainOf(graph: Graph, from: Iterable<number>): Set<number> {
  const seen = new Set(from);
  for (const n of seen) for (const auth of graph[n] ?? []) seen.add(auth);
  return seen;
}

function eventsIn(ranges: readonly ChainRange[], { points }: Cover): number[] {
  const inside = ({ chain, seq }: ChainPoint) =>
    ranges.some((range) => range.chain === chain && seq > range.after && seq <= range.upTo);
  return [...points].flatMap(([eventNo, point]) => (inside(point) ? [eventNo - 1] : [])).sort((a, b) => a - b);
}

function pointsOf({ points }: Cover, events: Iterable<number>): ChainPoint[] {
  return [...events].flatMap((n) => points.get(n + 1) ?? []);
}

const picks = fc.array(fc.nat(), { minLength: 1, maxLength: 5 });
const sorted = (numbers: Iterable<number>) => [...numbers].sort((a, b) => a - b);

test('every event gets a place of its own', () => {
  fc.assert(
    fc.property(graphs, fc.integer({ min: 1, max: 9 }), (graph, piece) => {
      const { points } = cover(graph, piece);
      expect(points.size).toBe(graph.length);
      expect(new Set([...points.values()].map(({ chain, seq }) => `${chain} ${seq}`)).size).toBe(graph.length);
    }),
  );
});

test('the difference of auth chains is the same as by walking the graph', () => {
  fc.assert(
    fc.property(
      graphs,
      fc.integer({ min: 1, max: 9 }),
      fc.array(picks, { minLength: 2, maxLength: 3 }),
      (graph, piece, sets) => {
        const covered = cover(graph, piece);
        const links = linksByChain(covered.links);
        const states = sets.map((set) => set.map((n) => n % graph.length));
        const chains = states.map((state) => chainOf(graph, state));
        const union = new Set(chains.flatMap((chain) => [...chain]));
        const expected = [...union].filter((n) => !chains.every((chain) => chain.has(n)));
        const ranges = differenceOf(states.map((state) => reachOf(pointsOf(covered, state), links)));
        expect(eventsIn(ranges, covered)).toEqual(sorted(expected));
      },
    ),
  );
});

test('the conflicted state subgraph is the same as by walking the graph', () => {
  fc.assert(
    fc.property(graphs, fc.integer({ min: 1, max: 9 }), picks, (graph, piece, set) => {
      const covered = cover(graph, piece);
      const conflicted = new Set(set.map((n) => n % graph.length));
      const below = chainOf(graph, conflicted);
      const expected = [...below].filter((n) => [...chainOf(graph, [n])].some((other) => conflicted.has(other)));
      const ranges = subgraphOf(pointsOf(covered, conflicted), linksByChain(covered.links));
      expect(eventsIn(ranges, covered)).toEqual(sorted(expected));
    }),
  );
});

test('a member who joins costs one place and one link while power levels and join rules stay', () => {
  // create, creator, power levels, join rules, then members who cite all but the creator
  const graph = [[], [0], [0, 1], [0, 1, 2], ...Array.from({ length: 20 }, () => [0, 2, 3])];
  const { links } = cover(graph, 100);
  expect(links.length).toBeLessThanOrEqual(20);
});

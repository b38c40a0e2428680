import fc from 'fast-check';
import { expect, test } from 'vitest';
import { entryOf, nextSnapshot, type SnapshotChain, stateOf, wantedBase } from './snapshot-delta.ts';

interface Change {
  kind: 'key' | 'member';
  key: number;
  /** 0 takes the entry away. */
  event: number;
}

const change = fc.record<Change>({
  kind: fc.constantFrom('key', 'member'),
  key: fc.integer({ min: 1, max: 12 }),
  event: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 1e6 }) }, { weight: 1, arbitrary: fc.constant(0) }),
});

function changesOf({ kind, key, event }: Change) {
  const entry = new Map([[key, event]]);
  const none = new Map<number, number>();
  return kind === 'key' ? { keys: entry, members: none } : { keys: none, members: entry };
}

/** Applies changes one snapshot each; `chains[i]` is the chain after the first i + 1 of them. */
function chainsOf(changes: readonly Change[]): SnapshotChain[] {
  let chain: SnapshotChain = [];
  return changes.map((one, i) => {
    chain = nextSnapshot(i + 1, chain, changesOf(one)).chain;
    return chain;
  });
}

function plainState(changes: readonly Change[]) {
  const state = { keys: new Map<number, number>(), members: new Map<number, number>() };
  for (const { kind, key, event } of changes) {
    const map = kind === 'key' ? state.keys : state.members;
    if (event === 0) map.delete(key);
    else map.set(key, event);
  }
  return state;
}

const sorted = (map: ReadonlyMap<number, number>) => [...map].sort(([a], [b]) => a - b);

test('a chain stands for the state that its changes make, at every step', () => {
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 100 }), (changes) => {
      chainsOf(changes).forEach((chain, i) => {
        const wanted = plainState(changes.slice(0, i + 1));
        const found = stateOf(chain);
        expect(sorted(found.keys)).toEqual(sorted(wanted.keys));
        expect(sorted(found.members)).toEqual(sorted(wanted.members));
      });
    }),
  );
});

test('a single entry is the same as in the whole state', () => {
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 60 }), change, (changes, { kind, key }) => {
      const chain = chainsOf(changes).at(-1) ?? [];
      const state = stateOf(chain);
      expect(entryOf(chain, kind, key)).toBe(kind === 'key' ? state.keys.get(key) : state.members.get(key));
    }),
  );
});

test('stored arrays are sorted, of equal length, and end in a complete snapshot', () => {
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 60 }), (changes) => {
      for (const chain of chainsOf(changes)) {
        expect(chain.at(-1)?.base).toBe(0);
        chain.forEach((link, i) => {
          expect(link.base).toBe(chain[i + 1]?.snapshot ?? 0);
          expect(link.keys).toEqual(link.keys.toSorted((a, b) => a - b));
          expect(link.members).toEqual(link.members.toSorted((a, b) => a - b));
          expect([link.events.length, link.memberEvents.length]).toEqual([link.keys.length, link.members.length]);
        });
      }
    }),
  );
});

test.for([
  [0, -1],
  [1, 0],
  [4, 0],
  [5, 4],
  [8, 4],
  [12, 8],
  [16, 0],
  [20, 16],
  [64, 0],
  [80, 64],
] as const)('snapshot %i takes as base the one at %i', ([ordinal, base]) => {
  expect(wantedBase(ordinal)).toBe(base);
});

test('ten thousand joins and changes store few entries each, and chains stay short', () => {
  const joins = Array.from({ length: 4000 }, (_, i): Change => ({ kind: 'member', key: i + 1, event: i + 1 }));
  const changes = joins.map((join, i): Change => ({ ...join, key: ((i * 7919) % 4000) + 1, event: 4001 + i }));
  let [chain, entries, longest]: [SnapshotChain, number, number] = [[], 0, 0];
  [...joins, ...changes].forEach((one, i) => {
    const next = nextSnapshot(i + 1, chain, changesOf(one));
    chain = next.chain;
    entries += next.row.keys.length + next.row.members.length;
    longest = Math.max(longest, chain.length);
  });
  expect(longest).toBeLessThanOrEqual(21);
  expect(entries / 8000).toBeLessThan(6);
});

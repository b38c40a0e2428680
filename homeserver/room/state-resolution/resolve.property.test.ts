import fc from 'fast-check';
import { expect, test } from 'vitest';
import { roomForks, type RoomForks } from '../../../test/support/room-forks.ts';
import { ALL_RULES, member } from '../../../test/support/room-story.ts';
import type { StateMap } from '../state-map.ts';

function lastStates({ dag, names }: RoomForks): StateMap[] {
  return names.slice(-3).map((name) => dag.stateAfter(name));
}

function sorted(state: StateMap): [string, string][] {
  return [...state].sort(([a], [b]) => (a < b ? -1 : 1));
}

const RUNS = { numRuns: 60 };

test.for(ALL_RULES)('version $version: the outcome is the same however the conflict is presented', (rules) => {
  fc.assert(
    fc.property(roomForks(rules), fc.nat(), (room, seed) => {
      const states = lastStates(room);
      const expected = sorted(room.dag.resolve(states));
      const turned = states.map((_, at) => states[(at + seed) % states.length] ?? states[0] ?? new Map());
      const reordered = turned.map((state) => new Map([...state].toReversed()));
      expect(sorted(room.dag.resolve(reordered))).toEqual(expected);
      expect(sorted(room.dag.resolve(states.toReversed()))).toEqual(expected);
      expect(sorted(room.dag.resolve([...states, ...turned.slice(0, 1)]))).toEqual(expected);
    }),
    RUNS,
  );
});

test.for(ALL_RULES)('version $version: states without a conflict are what they are', (rules) => {
  fc.assert(
    fc.property(roomForks(rules), ({ dag, names }) => {
      const state = dag.stateAfter(names.at(-1) ?? 'alice');
      expect(dag.resolve([state])).toEqual(state);
      expect(dag.resolve([state, new Map(state), state])).toEqual(state);
    }),
    RUNS,
  );
});

test.for(ALL_RULES)('version $version: every entry of the outcome was made by an event of that name', (rules) => {
  fc.assert(
    fc.property(roomForks(rules), (room) => {
      for (const [key, id] of room.dag.resolve(lastStates(room))) {
        const event = room.dag.events.get(id);
        expect(`${event?.type}\0${event?.stateKey}`).toBe(key);
      }
    }),
    RUNS,
  );
});

test.for(ALL_RULES)('version $version: a rejected event that no state holds changes no outcome', (rules) => {
  fc.assert(
    fc.property(roomForks(rules), (room) => {
      const states = lastStates(room);
      const before = sorted(room.dag.resolve(states));
      // It claims the power of all in the middle of the graph, and is known but was refused.
      const claim = { type: 'm.room.power_levels', sender: '@carol:two', stateKey: '', content: { users: {} } };
      const rejected = room.dag.outcast('claim', claim, [room.names.at(-1) ?? 'alice']);
      expect(sorted(room.dag.resolve(states, new Set([rejected])))).toEqual(before);
    }),
    RUNS,
  );
});

test.for(ALL_RULES)('version $version: who is banned on every branch is banned where they meet', (rules) => {
  fc.assert(
    fc.property(roomForks(rules), ({ dag, names }) => {
      const ban = { ...member('@admin:one', 'ban'), stateKey: '@victim:two' };
      const banned = names.slice(-3).filter((name) => dag.tryAdd(`ban-${name}`, ban, [name]));
      if (banned.length === 0) return;
      const id = dag.stateBefore(banned.map((name) => `ban-${name}`)).get('m.room.member\0@victim:two');
      expect(dag.events.get(id ?? dag.idOf('none'))?.content).toEqual({ membership: 'ban' });
    }),
    RUNS,
  );
});

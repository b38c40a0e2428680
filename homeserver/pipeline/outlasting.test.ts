import fc from 'fast-check';
import { expect, test } from 'vitest';
import { startedRoom, type RoomDag } from '../../test/support/room-dag.ts';
import { roomForks } from '../../test/support/room-forks.ts';
import { ALL_RULES, member, rulesOf } from '../../test/support/room-story.ts';
import type { RoomEvent } from '../room/event-format.ts';
import type { EventId } from '../room/identifiers.ts';
import { stateMapKey } from '../room/state-map.ts';
import { outlastAll, type OwnChange } from './outlasting.ts';

const USERS = ['@creator:one', '@admin:one', '@mod:one', '@alice:one', '@carol:two'];

const USER = fc.constantFrom(...USERS);
/** What is mostly allowed, so that much is said. */
const CHANGES = fc.oneof(
  fc.tuple(USER, USER, fc.constantFrom('join', 'invite', 'leave', 'ban')).map(([sender, user, to]) => ({
    ...member(to === 'join' ? sender : user, to),
    sender,
  })),
  USER.map((sender) => ({ type: 'm.room.topic', stateKey: '', sender, content: { topic: 'x' } })),
  fc.tuple(USER, fc.constantFrom('public', 'invite')).map(([sender, join_rule]) => ({
    type: 'm.room.join_rules',
    stateKey: '',
    sender,
    content: { join_rule },
  })),
  fc.constantFrom(50, 100).map((state_default) => ({
    type: 'm.room.power_levels',
    stateKey: '',
    sender: '@admin:one',
    content: { users: { '@admin:one': 100, '@mod:one': 50, '@alice:one': 50 }, state_default },
  })),
);

/** The changes that these events make, one after the other, and the state after them. */
function changesOf(dag: RoomDag, parents: readonly string[], names: readonly string[]) {
  const numbers = new Map([...dag.events.keys()].map((id, at) => [id, at + 1]));
  const numberOf = (id: EventId) => numbers.get(id) ?? 0;
  let state = dag.stateBefore(parents);
  const changes: OwnChange[] = [];
  for (const name of names) {
    const event = eventOf(dag, name);
    if (event.stateKey === undefined) continue;
    const key = stateMapKey(event.type, event.stateKey);
    const old = state.get(key);
    const replaced = old === undefined ? undefined : { event: present(dag.events.get(old)), eventNo: numberOf(old) };
    changes.push({ event, eventNo: numberOf(event.eventId), auth: event.authEvents.map(numberOf), replaced });
    state = new Map([...state, [key, event.eventId]]);
  }
  return { changes, state };
}

function eventOf(dag: RoomDag, name: string): RoomEvent {
  return present(dag.events.get(dag.idOf(name)));
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is not in the room');
  return value;
}

test.for(ALL_RULES.filter(({ stateResolution }) => stateResolution !== 'v1'))(
  'version $version: what is said to outlast a branch with the old state wins against it',
  (rules) => {
    let said = 0;
    const property = fc.property(
      roomForks(rules),
      fc.array(CHANGES, { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(12), { minLength: 30, maxLength: 30 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 2 }),
      ({ dag, names }, actions, clocks, picks) => {
        const parents = [...new Set(picks.map((pick) => names[pick % names.length] ?? 'alice'))];
        const added: string[] = [];
        for (const [at, action] of actions.entries()) {
          if (added.length === 3) break;
          const told = { ...action, ts: clocks[at] ?? 0 };
          if (dag.tryAdd(`new${at}`, told, added.length === 0 ? parents : added.slice(-1))) added.push(`new${at}`);
        }
        const { changes, state } = changesOf(dag, parents, added);
        if (changes.length === 0 || !outlastAll(changes, rules)) return;
        said += 1;
        expect(dag.resolve([dag.stateBefore(parents), state])).toEqual(state);
      },
    );
    fc.assert(property, { numRuns: 300, seed: 400 + Number(rules.version) });
    expect(said).toBeGreaterThan(20);
  },
);

test('a join rule may lose against that of somebody with less power, a newer topic and a kick do not', () => {
  const rule = (sender: string, join_rule: string) => ({
    type: 'm.room.join_rules',
    stateKey: '',
    sender,
    content: { join_rule },
  });
  const topic = (sender: string, ts: number) => ({ type: 'm.room.topic', stateKey: '', sender, ts });
  const dag = startedRoom(rulesOf('11'))
    .add('topic', topic('@admin:one', 50), ['alice'])
    .add('open', rule('@mod:one', 'knock'), ['topic'])
    .add('closed', rule('@admin:one', 'invite'), ['open'])
    .add('kick', { ...member('@alice:one', 'leave'), sender: '@admin:one' }, ['open'])
    .add('newer', topic('@mod:one', 51), ['open'])
    .add('older', topic('@mod:one', 49), ['open']);
  const holds = (name: string) => outlastAll(changesOf(dag, ['open'], [name]).changes, dag.rules);
  expect(['closed', 'kick', 'newer', 'older'].map(holds)).toEqual([false, true, true, false]);
  expect(dag.resolve([dag.stateAfter('open'), dag.stateAfter('closed')])).toEqual(dag.stateAfter('open'));
});

import { expect, test } from 'vitest';
import { startedRoom, type DagEvent, type RoomDag } from '../../../test/support/room-dag.ts';
import { ALL_RULES } from '../../../test/support/room-story.ts';
import { ownObject } from '../json-value.ts';
import type { RoomVersionRules } from '../room-versions.ts';
import { stateMapKey } from '../state-map.ts';

type Algorithm = RoomVersionRules['stateResolution'];

/** Two branches that grow from the started room, each a straight line, and what must win where they meet. */
interface Story {
  name: string;
  /** What both branches grow from, after the started room. */
  trunk?: readonly (readonly [name: string, event: DagEvent])[];
  left: readonly (readonly [name: string, event: DagEvent])[];
  right: readonly (readonly [name: string, event: DagEvent])[];
  entry: readonly [type: string, stateKey: string];
  /** Name of the event that wins; null: the entry is not there. */
  wins: string | null;
  algorithms?: readonly Algorithm[];
}

const V2: readonly Algorithm[] = ['v2', 'v2.1'];
const member = (sender: string, membership: string, target = sender): DagEvent => ({
  type: 'm.room.member',
  sender,
  stateKey: target,
  content: { membership },
});
const topic = (sender: string, ts?: number): DagEvent => ({
  type: 'm.room.topic',
  sender,
  stateKey: '',
  content: {},
  ...(ts !== undefined && { ts }),
});
const rule = (sender: string, join_rule: string): DagEvent => ({
  type: 'm.room.join_rules',
  sender,
  stateKey: '',
  content: { join_rule },
});

/** New power levels with those users beside @admin; creators of older versions stay as they are. */
function levels(sender: string, users: Record<string, number>): DagEvent {
  return { type: 'm.room.power_levels', sender, stateKey: '', content: { users } };
}
const FULL = { '@creator:one': 100, '@admin:one': 100, '@mod:one': 50 };

const stories: Story[] = [
  {
    name: 'a ban wins over what the banned did on a branch of their own, however late they say it was',
    left: [['ban', member('@admin:one', 'ban', '@mod:one')]],
    right: [['evasion', topic('@mod:one', 1_000_000)]],
    entry: ['m.room.topic', ''],
    wins: null,
    algorithms: V2,
  },
  {
    name: 'a ban wins over what the banned did on a branch of their own, however early they say it was',
    left: [['ban', { ...member('@admin:one', 'ban', '@mod:one'), ts: 1_000_000 }]],
    right: [['evasion', topic('@mod:one', 0)]],
    entry: ['m.room.topic', ''],
    wins: null,
    algorithms: V2,
  },
  {
    name: 'a kick wins over what the kicked did on a branch of their own, however early they say it was',
    left: [['kick', { ...member('@admin:one', 'leave', '@mod:one'), ts: 1_000_000 }]],
    right: [['evasion', topic('@mod:one', 0)]],
    entry: ['m.room.topic', ''],
    wins: null,
    algorithms: V2,
  },
  {
    name: 'a kick comes after the join that it ends, whatever the clocks say',
    left: [
      ['carol', { ...member('@carol:two', 'join'), ts: 1_000_000 }],
      ['kick', { ...member('@admin:one', 'leave', '@carol:two'), ts: 0 }],
    ],
    right: [['talk', { type: 'm.room.message', sender: '@alice:one' }]],
    entry: ['m.room.member', '@carol:two'],
    wins: 'kick',
    algorithms: V2,
  },
  {
    name: 'power levels come after those that they were made under, whatever the clocks say',
    left: [
      ['first', { ...levels('@admin:one', { ...FULL, '@alice:one': 1 }), ts: 1_000_000 }],
      ['second', { ...levels('@admin:one', { ...FULL, '@alice:one': 2 }), ts: 0 }],
    ],
    right: [['talk', { type: 'm.room.message', sender: '@alice:one' }]],
    entry: ['m.room.power_levels', ''],
    wins: 'second',
    algorithms: V2,
  },
  {
    name: 'the creator, whom no number reaches, goes before an administrator, whatever the clocks say',
    left: [['by-creator', { ...levels('@creator:one', { ...FULL, '@alice:one': 1 }), ts: 1_000_000 }]],
    right: [['by-admin', { ...levels('@admin:one', { ...FULL, '@alice:one': 2 }), ts: 0 }]],
    entry: ['m.room.power_levels', ''],
    wins: 'by-admin',
    algorithms: ['v2.1'],
  },
  {
    name: 'of two topics under older power levels the one under the newer of these wins, whatever the clocks say',
    left: [
      ['newer', levels('@admin:one', { ...FULL, '@alice:one': 1 })],
      ['under-newer', topic('@admin:one', 1)],
      ['newest', levels('@admin:one', { ...FULL, '@alice:one': 2 })],
    ],
    right: [['under-older', topic('@mod:one', 1_000_000)]],
    entry: ['m.room.topic', ''],
    wins: 'under-newer',
    algorithms: V2,
  },
  ...(['m.room.topic', 'm.room.name'] as const).map((type) => ({
    name: `${type} made under power levels that lost counts as made under those before them: the later one wins`,
    left: [
      ['topic', topic('@admin:one', 10)],
      ['name', { ...topic('@admin:one', 10), type: 'm.room.name' }],
      ['demotion', levels('@admin:one', { ...FULL, '@mod:one': 0 })],
    ] as const,
    right: [
      ['lost', levels('@mod:one', { ...FULL, '@alice:one': 1 })],
      ['m.room.topic', topic('@admin:one', 20)],
      ['m.room.name', { ...topic('@admin:one', 20), type: 'm.room.name' }],
    ] as const,
    entry: [type, ''] as const,
    wins: type,
    algorithms: V2,
  })),
  {
    name: 'a ban wins over a new join of the banned on another branch',
    left: [['ban', member('@admin:one', 'ban', '@alice:one')]],
    right: [
      ['again', { ...member('@alice:one', 'join'), ts: 1_000_000 }],
      ['more', topic('@admin:one')],
    ],
    entry: ['m.room.member', '@alice:one'],
    wins: 'ban',
  },
  {
    name: 'a moderator who is demoted on one branch cannot keep what they did to others on another',
    left: [['demotion', levels('@admin:one', { ...FULL, '@mod:one': 0 })]],
    right: [['revenge', { ...member('@mod:one', 'ban', '@alice:one'), ts: 0 }]],
    entry: ['m.room.member', '@alice:one'],
    wins: 'alice',
    algorithms: V2,
  },
  {
    name: 'of two changes of the power levels the one by the more powerful goes first, and the other must fit it',
    left: [['demotion', levels('@admin:one', { ...FULL, '@mod:one': 0 })]],
    right: [['promotion', { ...levels('@mod:one', { ...FULL, '@alice:one': 50 }), ts: 0 }]],
    entry: ['m.room.power_levels', ''],
    wins: 'demotion',
    algorithms: V2,
  },
  {
    name: 'whoever joined while the room was closed on another branch is not in it',
    left: [['closed', rule('@admin:one', 'invite')]],
    right: [['stranger', member('@stranger:two', 'join')]],
    entry: ['m.room.member', '@stranger:two'],
    wins: null,
    algorithms: V2,
  },
  ...(['v2', 'v2.1'] as const).map((algorithm) => ({
    name: `a newer join rule whose sender's clock is behind ${algorithm === 'v2' ? 'is undone by the older one: the known weakness of v2' : 'stands: its sender had joined under the older one'}`,
    left: [['newer', { ...rule('@admin:one', 'invite'), ts: 0 }] as const],
    right: [['talk', { type: 'm.room.message', sender: '@alice:one' }] as const],
    entry: ['m.room.join_rules', ''] as const,
    wins: algorithm === 'v2' ? 'public' : 'newer',
    algorithms: [algorithm],
  })),
  ...(['v2', 'v2.1'] as const).map((algorithm) => ({
    name: `leaving with a clock that is behind ${algorithm === 'v2' ? 'holds: the room of today lets nobody in' : 'does not: the join is judged by what it was made under'}`,
    trunk: [['closed', rule('@creator:one', 'invite')] as const],
    left: [['gone', { ...member('@mod:one', 'leave'), ts: 0 }] as const],
    right: [['talk', { type: 'm.room.message', sender: '@alice:one' }] as const],
    entry: ['m.room.member', '@mod:one'] as const,
    wins: algorithm === 'v2' ? 'gone' : 'mod',
    algorithms: [algorithm],
  })),
  {
    name: 'what all branches agree on stays, though an older event of that name takes part in the resolution',
    trunk: [['again', { ...rule('@mod:one', 'public'), ts: 0 }]],
    left: [['talk', { type: 'm.room.message', sender: '@alice:one' }]],
    right: [['levels-changed', { ...levels('@admin:one', FULL), ts: 1 }]],
    entry: ['m.room.join_rules', ''],
    wins: 'again',
  },
  {
    name: 'under algorithm v1 a join on one branch only is no conflict and stays',
    left: [['closed', rule('@admin:one', 'invite')]],
    right: [['stranger', member('@stranger:two', 'join')]],
    entry: ['m.room.member', '@stranger:two'],
    wins: 'stranger',
    algorithms: ['v1'],
  },
  {
    name: 'of two topics under the same power levels the later one wins',
    left: [['early', topic('@admin:one', 10)]],
    right: [['late', topic('@mod:one', 11)]],
    entry: ['m.room.topic', ''],
    wins: 'late',
    algorithms: V2,
  },
  {
    name: 'a topic under newer power levels wins over a later one under older ones',
    left: [
      ['newer', levels('@admin:one', { ...FULL, '@alice:one': 1 })],
      ['under-newer', topic('@admin:one', 1)],
    ],
    right: [['under-older', topic('@mod:one', 1_000_000)]],
    entry: ['m.room.topic', ''],
    wins: 'under-newer',
    algorithms: V2,
  },
  {
    name: 'under algorithm v1 the deeper topic wins, whatever the clocks say',
    left: [['shallow', topic('@admin:one', 1_000_000)]],
    right: [
      ['padding', member('@admin:one', 'join')],
      ['deep', topic('@mod:one', 1)],
    ],
    entry: ['m.room.topic', ''],
    wins: 'deep',
    algorithms: ['v1'],
  },
  {
    name: 'under algorithm v1 a demoted moderator takes their power back by a deeper branch: the known weakness',
    left: [['demotion', levels('@admin:one', { ...FULL, '@mod:one': 0 })]],
    right: [
      ['padding', topic('@mod:one')],
      ['promotion', levels('@mod:one', { ...FULL, '@alice:one': 50 })],
    ],
    entry: ['m.room.power_levels', ''],
    wins: 'demotion',
    algorithms: ['v1'],
  },
  {
    name: 'who was invited on one branch may join on it although the other closed the room before',
    left: [['closed', rule('@admin:one', 'invite')]],
    right: [
      ['invite', member('@admin:one', 'invite', '@guest:two')],
      ['guest', member('@guest:two', 'join')],
    ],
    entry: ['m.room.member', '@guest:two'],
    wins: 'guest',
  },
  {
    name: 'what a member did before leaving stays when another branch goes on without knowing',
    left: [
      ['named', { ...topic('@mod:one'), ts: 5 }],
      ['gone', member('@mod:one', 'leave')],
    ],
    right: [['talk', { type: 'm.room.message', sender: '@alice:one' }]],
    entry: ['m.room.topic', ''],
    wins: 'named',
  },
  {
    name: 'a ban by one whom another branch lowered below the ban level does not count',
    left: [['lowered', levels('@creator:one', { ...FULL, '@mod:one': 49 })]],
    right: [['ban', member('@mod:one', 'ban', '@alice:one')]],
    entry: ['m.room.member', '@alice:one'],
    wins: 'alice',
    algorithms: V2,
  },
];

function play(story: Story, rules: RoomVersionRules): RoomDag {
  const dag = startedRoom(rules);
  const trunk = story.trunk ?? [];
  const root = trunk.at(-1)?.[0] ?? 'alice';
  for (const branch of [trunk, story.left, story.right]) {
    let parent = branch === trunk ? 'alice' : root;
    for (const [name, event] of branch) {
      dag.add(name, fitting(event, rules), [parent]);
      parent = name;
    }
  }
  return dag;
}

/** Power levels of version 12 name no creator. */
function fitting(event: DagEvent, rules: RoomVersionRules): DagEvent {
  const users = ownObject(event.content ?? {}, 'users');
  if (rules.creatorPower !== 'infinite' || users === undefined) return event;
  const others = Object.entries(users).filter(([userId]) => userId !== '@creator:one');
  return { ...event, content: { ...event.content, users: Object.fromEntries(others) } };
}

const rows = stories.flatMap((story) =>
  ALL_RULES.filter((rules) => story.algorithms?.includes(rules.stateResolution) ?? true).map((rules) => ({
    story,
    rules,
    title: `version ${rules.version}: ${story.name}`,
  })),
);

test.for(rows)('$title', ({ story, rules }) => {
  const dag = play(story, rules);
  const ends = [story.left, story.right].map((branch) => branch.at(-1)?.[0] ?? 'alice');
  const expected = story.wins === null ? undefined : dag.idOf(story.wins);
  for (const order of [ends, ends.toReversed()]) {
    expect(dag.stateBefore(order).get(stateMapKey(...story.entry))).toBe(expected);
  }
});

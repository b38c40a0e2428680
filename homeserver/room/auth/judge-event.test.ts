import { expect, test } from 'vitest';
import {
  ALL_RULES,
  createEvent,
  member,
  powerLevels,
  rulesOf,
  storyState,
  tell,
  type Told,
} from '../../../test/support/room-story.ts';
import type { RoomVersionRules } from '../room-versions.ts';
import { judgeByAuthEvents, judgeEvent } from './judge-event.ts';

interface JudgeCase {
  name: string;
  cited?: readonly Told[];
  rejected?: readonly string[];
  before?: readonly Told[];
  now?: readonly Told[];
  says: { verdict: string; rule?: string };
}

const message: Told = { type: 'm.room.message', sender: '@alice:one' };
const cited = [powerLevels({}), member('@alice:one', 'join')];
const left = [member('@alice:one', 'leave')];

const cases: JudgeCase[] = [
  { name: 'an event that all three states allow', says: { verdict: 'accepted' } },
  {
    name: 'an event whose auth events do not let its sender speak',
    cited: [powerLevels({}), member('@alice:one', 'leave')],
    says: { verdict: 'rejected', rule: 'sender.not_joined' },
  },
  {
    name: 'an event that names a rejected event',
    rejected: ['m.room.member'],
    says: { verdict: 'rejected', rule: 'auth_events.rejected' },
  },
  {
    name: 'an event whose sender had left in the state before it',
    before: left,
    says: { verdict: 'rejected', rule: 'sender.not_joined' },
  },
  {
    name: 'an event whose sender is gone by now',
    now: left,
    says: { verdict: 'soft_failed', rule: 'sender.not_joined' },
  },
  {
    name: 'an event that both states refuse',
    before: left,
    now: left,
    says: { verdict: 'rejected', rule: 'sender.not_joined' },
  },
];

const rows = cases.flatMap((row) => ALL_RULES.map((rules) => ({ ...row, rules, version: rules.version })));

test.for(rows)('version $version: $name is $says.verdict', (row) => {
  expect(judgeEvent(tell(message, row.rules), evidence(row, row.rules), row.rules)).toMatchObject(row.says);
});

function evidence(row: JudgeCase, rules: RoomVersionRules) {
  const told = row.cited ?? cited;
  const named = rules.createInAuthEvents ? [createEvent(), ...told] : told;
  return {
    cited: named.map((event) => ({
      event: tell(event, rules),
      rejected: row.rejected?.includes(event.type) ?? false,
    })),
    create: { event: tell(createEvent(), rules), rejected: false },
    stateBefore: storyState(rules, row.before),
    currentState: storyState(rules, row.now),
  };
}

test.for(rows.filter(({ before, now }) => before === undefined && now === undefined))(
  'version $version: by its auth events alone, $name is $says.verdict',
  (row) => {
    expect(judgeByAuthEvents(tell(message, row.rules), evidence(row, row.rules), row.rules)).toMatchObject(row.says);
  },
);

test('from version 12 on nothing stands in a room whose create event is not known', () => {
  const rules = rulesOf('12');
  const unknown = { ...evidence({ name: '', says: { verdict: '' } }, rules), create: undefined };
  expect(judgeEvent(tell(message, rules), unknown, rules)).toMatchObject({
    verdict: 'rejected',
    rule: 'room.no_create',
  });
});

test('from version 12 on nothing stands in a room whose create event was rejected', () => {
  const rules = rulesOf('12');
  const create = { event: tell(createEvent(), rules), rejected: true };
  const judged = judgeEvent(
    tell(message, rules),
    { ...evidence({ name: '', says: { verdict: '' } }, rules), create },
    rules,
  );
  expect(judged).toMatchObject({ verdict: 'rejected', rule: 'room.no_create' });
});

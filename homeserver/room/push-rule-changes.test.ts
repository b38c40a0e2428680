import { expect, test } from 'vitest';
import { changeRule, copyRoomRules, NO_CHANGES, pushRulesetOf, putRule, removeRule } from './push-rule-changes.ts';
import type { PushRuleChanges, RulePlace } from './push-rule-changes.ts';

const put = (changes: PushRuleChanges | undefined, id: string, place: RulePlace = {}) =>
  putRule(changes ?? NO_CHANGES, 'content', { rule_id: id, actions: [], pattern: id }, place);
const idsOf = (changes: PushRuleChanges | undefined) => changes?.own.content.map((rule) => rule.rule_id).join(' ');
const abc = put(put(put(undefined, 'c'), 'b'), 'a');

const places: { name: string; id: string; place: RulePlace; order: string | undefined }[] = [
  { name: 'a new rule is the most important one', id: 'n', place: {}, order: 'n a b c' },
  { name: 'before', id: 'n', place: { before: 'b' }, order: 'a n b c' },
  { name: 'after', id: 'n', place: { after: 'b' }, order: 'a b n c' },
  { name: 'before goes above after', id: 'n', place: { before: 'a', after: 'c' }, order: 'n a b c' },
  { name: 'a rule that is there stays where it is', id: 'b', place: {}, order: 'a b c' },
  { name: 'a rule is moved up', id: 'c', place: { before: 'a' }, order: 'c a b' },
  { name: 'a rule is moved down', id: 'a', place: { after: 'c' }, order: 'b c a' },
  { name: 'no such neighbour', id: 'n', place: { before: 'x' }, order: undefined },
  { name: 'a rule is no neighbour of itself', id: 'b', place: { after: 'b' }, order: undefined },
];

test.for(places)('$name', ({ id, place, order }) => {
  expect(idsOf(put(abc, id, place))).toBe(order);
});

test('a rule that is changed stays disabled, a new one is enabled', () => {
  const disabled = changeRule(abc ?? NO_CHANGES, { kind: 'content', ruleId: 'b' }, { enabled: false });
  const changed = put(disabled, 'b', { after: 'c' });
  expect(changed?.own.content.map((rule) => rule.enabled)).toEqual([true, true, false]);
});

test('rules that are not there cannot be changed or removed, predefined ones not removed', () => {
  const none = { kind: 'content', ruleId: 'x' } as const;
  expect(changeRule(NO_CHANGES, none, { enabled: true })).toBeUndefined();
  expect(removeRule(NO_CHANGES, none)).toBeUndefined();
  expect(removeRule(NO_CHANGES, { kind: 'override', ruleId: '.m.rule.master' })).toBeUndefined();
  expect(changeRule(NO_CHANGES, { kind: 'underride', ruleId: '.m.rule.master' }, { enabled: true })).toBeUndefined();
  expect(idsOf(removeRule(abc ?? NO_CHANGES, { kind: 'content', ruleId: 'b' }))).toBe('a c');
});

test('own rules stand behind the master rule and before all others; changes of predefined ones are shown', () => {
  const first = putRule(NO_CHANGES, 'override', { rule_id: 'mine', actions: [], conditions: [] }, {});
  const changed = changeRule(
    first ?? NO_CHANGES,
    { kind: 'override', ruleId: '.m.rule.tombstone' },
    { actions: ['notify'] },
  );
  const { override } = pushRulesetOf('@me:one', changed ?? NO_CHANGES);
  expect(override.slice(0, 3).map((rule) => rule.rule_id)).toEqual([
    '.m.rule.master',
    'mine',
    '.m.rule.suppress_notices',
  ]);
  expect(override.find((rule) => rule.rule_id === '.m.rule.tombstone')).toMatchObject({
    enabled: true,
    actions: ['notify'],
  });
  expect(override.find((rule) => rule.rule_id === 'mine')).toEqual({
    rule_id: 'mine',
    actions: [],
    conditions: [],
    enabled: true,
    default: false,
  });
});

test('a room that replaces another gets its rules beside them, once', () => {
  const muted = { kind: 'event_match', key: 'room_id', pattern: '!old' };
  const rules: PushRuleChanges = {
    ...NO_CHANGES,
    own: {
      ...NO_CHANGES.own,
      override: [
        { rule_id: '!old', enabled: false, actions: [], conditions: [muted] },
        {
          rule_id: 'other',
          enabled: true,
          actions: [],
          conditions: [{ kind: 'event_match', key: 'room_id', pattern: '!third' }],
        },
        { rule_id: 'quiet', enabled: true, actions: [], conditions: [muted, { kind: 'contains_display_name' }] },
      ],
      room: [{ rule_id: '!old', enabled: true, actions: ['notify'] }],
    },
  };
  const copied = copyRoomRules(rules, '!old', '!new') ?? NO_CHANGES;
  const moved = { ...muted, pattern: '!new' };
  expect(copied.own.room.map((rule) => rule.rule_id)).toEqual(['!old', '!new']);
  expect(copied.own.override.map((rule) => rule.rule_id)).toEqual(['!old', '!new', 'other', 'quiet', 'quiet !new']);
  expect(copied.own.override[1]).toEqual({ rule_id: '!new', enabled: false, actions: [], conditions: [moved] });
  expect(copied.own.override[4]?.conditions).toEqual([moved, { kind: 'contains_display_name' }]);
  expect(copyRoomRules(copied, '!old', '!new')).toBeUndefined();
});

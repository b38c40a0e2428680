import { expect, test } from 'vitest';
import { userId } from '../../test/support/room-story.ts';
import { defaultPushRules } from './push-rules.ts';

const rules = defaultPushRules(userId('@me:one'));

test('the predefined rules stand in the order of the specification, those for texts where v1.16 has them', () => {
  expect(rules.override.map((rule) => rule.rule_id.replace('.m.rule.', ''))).toEqual(
    'master suppress_notices invite_for_me member_event is_user_mention contains_display_name is_room_mention roomnotif tombstone reaction room.server_acl suppress_edits'.split(
      ' ',
    ),
  );
  expect(rules.underride.map((rule) => rule.rule_id.replace('.m.rule.', ''))).toEqual(
    'call encrypted_room_one_to_one room_one_to_one message encrypted'.split(' '),
  );
  expect(rules.content).toMatchObject([{ rule_id: '.m.rule.contains_user_name', pattern: 'me' }]);
  expect([rules.room, rules.sender]).toEqual([[], []]);
});

test('all but the master rule are enabled, and all are defaults', () => {
  const all = [...rules.override, ...rules.content, ...rules.underride];
  expect(all.filter((rule) => !rule.enabled).map((rule) => rule.rule_id)).toEqual(['.m.rule.master']);
  expect(all.every((rule) => rule.default)).toBe(true);
});

test('invites and mentions are those of this user', () => {
  const byId = new Map(rules.override.map((rule) => [rule.rule_id, rule]));
  expect(byId.get('.m.rule.invite_for_me')?.conditions).toContainEqual({
    kind: 'event_match',
    key: 'state_key',
    pattern: '@me:one',
  });
  expect(byId.get('.m.rule.is_user_mention')?.conditions).toEqual([
    { kind: 'event_property_contains', key: 'content.m\\.mentions.user_ids', value: '@me:one' },
  ]);
  expect(byId.get('.m.rule.is_user_mention')?.actions).toEqual([
    'notify',
    { set_tweak: 'sound', value: 'default' },
    { set_tweak: 'highlight' },
  ]);
});

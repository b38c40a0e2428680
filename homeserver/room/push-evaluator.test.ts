import { expect, test } from 'vitest';
import type { JsonObject, JsonValue } from './json-value.ts';
import type { PushContext } from './push-conditions.ts';
import { compilePushRules } from './push-evaluator.ts';
import { NO_CHANGES, pushRulesetOf, type OwnPushRule, type PushRuleChanges } from './push-rule-changes.ts';
import type { PushRuleKind } from './push-rules.ts';

const ME = '@me:one';
const ROOM = '!room:one';
const crowd: PushContext = { memberCount: 10, displayName: 'Mina?', mayNotify: (sender) => sender === '@admin:one' };

const message = (content: JsonObject, more: JsonObject = {}): JsonObject => ({
  type: 'm.room.message',
  sender: '@other:one',
  room_id: ROOM,
  event_id: '$event',
  content: { msgtype: 'm.text', body: 'hello there', ...content },
  ...more,
});

const own = (kind: PushRuleKind, ...rules: Partial<OwnPushRule>[]): PushRuleChanges => ({
  ...NO_CHANGES,
  own: {
    ...NO_CHANGES.own,
    [kind]: rules.map((rule, i) => ({ rule_id: `own${i}`, enabled: true, actions: ['notify'], ...rule })),
  },
});

function judge(event: JsonObject, changes: PushRuleChanges = NO_CHANGES, context: PushContext = crowd) {
  return compilePushRules(pushRulesetOf(ME, changes)).judge({ event, context });
}

/** `none`, `notify` or `highlight`. */
function outcome(...args: Parameters<typeof judge>): string {
  const verdict = judge(...args);
  return verdict?.notify === true ? (verdict.highlight ? 'highlight' : 'notify') : 'none';
}

const predefined = [
  { name: 'a message', event: message({}), says: 'notify' },
  { name: 'a notice', event: message({ msgtype: 'm.notice' }), says: 'none' },
  { name: 'a mention', event: message({ 'm.mentions': { user_ids: ['@you:one', ME] } }), says: 'highlight' },
  { name: 'a mention of another', event: message({ 'm.mentions': { user_ids: ['@you:one'] } }), says: 'notify' },
  { name: 'a mention that is no list', event: message({ 'm.mentions': { user_ids: ME } }), says: 'notify' },
  {
    name: 'a mention in a notice',
    event: message({ msgtype: 'm.notice', 'm.mentions': { user_ids: [ME] } }),
    says: 'none',
  },
  { name: '@room without the power', event: message({ 'm.mentions': { room: true } }), says: 'notify' },
  {
    name: '@room with the power',
    event: message({ 'm.mentions': { room: true } }, { sender: '@admin:one' }),
    says: 'highlight',
  },
  { name: 'a text with the name', event: message({ body: 'hi mina?' }), says: 'highlight' },
  { name: 'a text with a part of the name', event: message({ body: 'hi mina' }), says: 'notify' },
  { name: 'a text with the user name', event: message({ body: 'hi @me:one' }), says: 'highlight' },
  {
    name: 'a text with the name that mentions nobody',
    event: message({ body: 'hi mina?, me', 'm.mentions': {} }),
    says: 'notify',
  },
  { name: 'a notice with the name', event: message({ msgtype: 'm.notice', body: 'hi mina?' }), says: 'none' },
  { name: '@room in a text without the power', event: message({ body: 'hi @room' }), says: 'notify' },
  {
    name: '@room in a text with the power',
    event: message({ body: 'hi @room' }, { sender: '@admin:one' }),
    says: 'highlight',
  },
  {
    name: '@room in a text with the power that mentions nobody',
    event: message({ body: 'hi @room', 'm.mentions': {} }, { sender: '@admin:one' }),
    says: 'notify',
  },
  { name: 'an edit', event: message({ 'm.relates_to': { rel_type: 'm.replace', event_id: '$old' } }), says: 'none' },
  { name: 'a reaction', event: message({}, { type: 'm.reaction' }), says: 'none' },
  { name: 'a call', event: message({}, { type: 'm.call.invite' }), says: 'notify' },
  { name: 'an encrypted event', event: message({}, { type: 'm.room.encrypted' }), says: 'notify' },
  { name: 'an upgrade', event: message({}, { type: 'm.room.tombstone', state_key: '' }), says: 'highlight' },
  { name: 'what looks like an upgrade', event: message({}, { type: 'm.room.tombstone' }), says: 'none' },
  { name: 'a join', event: message({ membership: 'join' }, { type: 'm.room.member', state_key: ME }), says: 'none' },
  {
    name: 'an invite',
    event: message({ membership: 'invite' }, { type: 'm.room.member', state_key: ME }),
    says: 'notify',
  },
  {
    name: 'an invite of another',
    event: message({ membership: 'invite' }, { type: 'm.room.member', state_key: '@you:one' }),
    says: 'none',
  },
  { name: 'a topic', event: message({ topic: 'x' }, { type: 'm.room.topic', state_key: '' }), says: 'none' },
];

test.for(predefined)('the predefined rules say of $name: $says', ({ event, says }) => {
  expect(outcome(event)).toBe(says);
});

test('a message in a room of two has a sound, in a larger one it has none', () => {
  const sound = { set_tweak: 'sound', value: 'default' };
  expect(judge(message({}), NO_CHANGES, { ...crowd, memberCount: 2 })?.actions).toEqual(['notify', sound]);
  expect(judge(message({}))?.actions).toEqual(['notify']);
});

const conditions: { name: string; condition: JsonObject; holds: boolean }[] = [
  { name: 'event_match', condition: { kind: 'event_match', key: 'content.body', pattern: 'HELLO' }, holds: true },
  {
    name: 'event_match of a part of a word',
    condition: { kind: 'event_match', key: 'content.body', pattern: 'hell' },
    holds: false,
  },
  {
    name: 'event_match of a whole value',
    condition: { kind: 'event_match', key: 'content.msgtype', pattern: 'm.*' },
    holds: true,
  },
  { name: 'event_match of no text', condition: { kind: 'event_match', key: 'content.n', pattern: '*' }, holds: false },
  {
    name: 'event_match of what is absent',
    condition: { kind: 'event_match', key: 'content.none', pattern: '*' },
    holds: false,
  },
  { name: 'event_match without a pattern', condition: { kind: 'event_match', key: 'type' }, holds: false },
  { name: 'event_property_is', condition: { kind: 'event_property_is', key: 'content.n', value: 1 }, holds: true },
  {
    name: 'event_property_is of another type',
    condition: { kind: 'event_property_is', key: 'content.n', value: '1' },
    holds: false,
  },
  {
    name: 'event_property_is null',
    condition: { kind: 'event_property_is', key: 'content.null', value: null },
    holds: true,
  },
  {
    name: 'event_property_is a list',
    condition: { kind: 'event_property_is', key: 'content.list', value: [] },
    holds: false,
  },
  {
    name: 'event_property_contains',
    condition: { kind: 'event_property_contains', key: 'content.list', value: true },
    holds: true,
  },
  {
    name: 'event_property_contains in a text',
    condition: { kind: 'event_property_contains', key: 'content.body', value: 'hello' },
    holds: false,
  },
  { name: 'a member count', condition: { kind: 'room_member_count', is: '>=10' }, holds: true },
  { name: 'a member count that is another', condition: { kind: 'room_member_count', is: '<10' }, holds: false },
  { name: 'a member count without a sign', condition: { kind: 'room_member_count', is: '10' }, holds: true },
  { name: 'a member count that is none', condition: { kind: 'room_member_count', is: '=10' }, holds: false },
  { name: 'no power', condition: { kind: 'sender_notification_permission', key: 'room' }, holds: false },
  { name: 'an unknown kind', condition: { kind: 'org.example', key: 'type' }, holds: false },
  { name: 'no kind', condition: {}, holds: false },
];

test.for(conditions)('a rule with the condition $name matches: $holds', ({ condition, holds }) => {
  const event = message({ n: 1, null: null, list: ['a', true, [1]] });
  const changes = own('override', { conditions: [condition], actions: [] });
  expect(judge(event, changes)?.actions).toEqual(holds ? [] : ['notify']);
});

test('the display name counts as a word, and is no pattern', () => {
  const changes = own('override', {
    conditions: [{ kind: 'contains_display_name' }],
    actions: ['notify', { set_tweak: 'highlight' }],
  });
  expect(outcome(message({ body: 'hi mina?' }), changes)).toBe('highlight');
  expect(outcome(message({ body: 'hi minas' }), changes)).toBe('notify');
  expect(outcome(message({ body: 'hi' }), changes, { ...crowd, displayName: '' })).toBe('notify');
});

test('kinds are tried in their order, and own rules before predefined ones', () => {
  const highlight = { actions: ['notify', { set_tweak: 'highlight' }] as JsonValue[] };
  expect(outcome(message({}), own('room', { rule_id: ROOM, actions: [] }))).toBe('none');
  expect(outcome(message({}), own('sender', { rule_id: '@other:one', actions: [] }))).toBe('none');
  expect(outcome(message({}), own('sender', { rule_id: '@another:one', actions: [] }))).toBe('notify');
  expect(outcome(message({}), own('content', { pattern: 'th?re', ...highlight }))).toBe('highlight');
  const both = own('content', { pattern: 'hello', ...highlight });
  expect(
    outcome(message({}), {
      ...both,
      own: { ...both.own, ...own('room', { rule_id: ROOM, actions: [] }).own, content: both.own.content },
    }),
  ).toBe('highlight');
  expect(outcome(message({}), own('underride', { conditions: [], actions: [] }))).toBe('none');
  const mention = message({ 'm.mentions': { user_ids: [ME] } });
  expect(outcome(mention, own('room', { rule_id: ROOM, actions: [] }))).toBe('highlight');
  expect(outcome(mention, own('override', { conditions: [], actions: [] }))).toBe('none');
});

test('the master rule goes before everything once it is enabled', () => {
  const changes = own('override', { conditions: [], actions: ['notify'] });
  expect(outcome(message({}), changes)).toBe('notify');
  expect(outcome(message({}), { ...changes, predefined: { '.m.rule.master': { enabled: true } } })).toBe('none');
});

test('a disabled rule matches nothing, actions of old times are none, a highlight of false is none', () => {
  expect(outcome(message({}), own('override', { conditions: [], actions: [], enabled: false }))).toBe('notify');
  expect(judge(message({}), own('override', { conditions: [], actions: ['dont_notify'] }))).toEqual({
    notify: false,
    highlight: false,
    actions: [],
  });
  const actions = ['notify', { set_tweak: 'highlight', value: false }];
  expect(outcome(message({}), own('override', { conditions: [], actions }))).toBe('notify');
});

test('rules say what has to be known before they can be tried', () => {
  const needs = (changes: PushRuleChanges) => compilePushRules(pushRulesetOf(ME, changes)).needs;
  const none = { content: false, displayName: false, power: false };
  expect(needs(NO_CHANGES)).toEqual(none);
  expect(needs(own('room', { rule_id: ROOM }))).toEqual(none);
  expect(needs(own('override', { conditions: [{ kind: 'event_match', key: 'room_id', pattern: ROOM }] }))).toEqual(
    none,
  );
  expect(needs(own('content', { pattern: 'x' }))).toEqual({ ...none, content: true });
  expect(needs(own('content', { pattern: 'x', enabled: false }))).toEqual(none);
  expect(needs(own('override', { conditions: [{ kind: 'sender_notification_permission', key: 'x' }] }))).toEqual({
    ...none,
    power: true,
  });
});

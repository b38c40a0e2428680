import { expect, test } from 'vitest';
import { parseEventId, type EventId } from '../room/identifiers.ts';
import type { JsonObject } from '../room/json-value.ts';
import { isCountable, isPlain, isUnmarkedText, membershipNo, relationOf } from './classify-event.ts';

const PARENT = parent('$a');

function parent(text: string): EventId {
  const eventId = parseEventId(text);
  if (eventId === undefined) throw new Error(`${text} is no event id`);
  return eventId;
}

const countables: { name: string; type: string; content: JsonObject; countable: boolean }[] = [
  { name: 'a text', type: 'm.room.message', content: { msgtype: 'm.text' }, countable: true },
  { name: 'a notice', type: 'm.room.message', content: { msgtype: 'm.notice' }, countable: false },
  { name: 'an encrypted event', type: 'm.room.encrypted', content: {}, countable: true },
  { name: 'a reaction', type: 'm.reaction', content: {}, countable: false },
  {
    name: 'an edit',
    type: 'm.room.message',
    content: { msgtype: 'm.text', 'm.relates_to': { rel_type: 'm.replace', event_id: '$a' } },
    countable: false,
  },
];

test.for(countables)('$name counts as unread: $countable', ({ type, content, countable }) => {
  expect(isCountable(type, content)).toBe(countable);
});

const plains: { name: string; type: string; stateKey?: string; content: JsonObject; plain: boolean }[] = [
  { name: 'a text', type: 'm.room.message', content: { msgtype: 'm.text' }, plain: true },
  { name: 'a mention', type: 'm.room.message', content: { 'm.mentions': { user_ids: ['@a:b'] } }, plain: false },
  { name: 'a mention of nobody', type: 'm.room.message', content: { 'm.mentions': { user_ids: [] } }, plain: true },
  { name: 'mentions that are none', type: 'm.room.message', content: { 'm.mentions': 'me' }, plain: true },
  { name: 'a mention of all', type: 'm.room.message', content: { 'm.mentions': { room: true } }, plain: false },
  { name: 'a join', type: 'm.room.member', stateKey: '@a:b', content: { membership: 'join' }, plain: true },
  { name: 'a tombstone', type: 'm.room.tombstone', stateKey: '', content: {}, plain: false },
  { name: 'a reaction', type: 'm.reaction', content: {}, plain: true },
];

test.for(plains)('push rules need no look into $name: $plain', ({ type, stateKey, content, plain }) => {
  expect(isPlain(type, stateKey, content)).toBe(plain);
});

const relations: { name: string; relatesTo: JsonObject | string; relation: ReturnType<typeof relationOf> }[] = [
  {
    name: 'a reaction keeps its key',
    relatesTo: { rel_type: 'm.annotation', event_id: '$a', key: '👍' },
    relation: { relType: 1, parentId: PARENT, key: '👍' },
  },
  {
    name: 'a thread has no key',
    relatesTo: { rel_type: 'm.thread', event_id: '$a', key: 'x' },
    relation: { relType: 3, parentId: PARENT, key: undefined },
  },
  {
    name: 'an unknown type is kept as 0',
    relatesTo: { rel_type: 'org.example', event_id: '$a' },
    relation: { relType: 0, parentId: PARENT, key: undefined },
  },
  { name: 'a reply is no relation', relatesTo: { 'm.in_reply_to': { event_id: '$a' } }, relation: undefined },
  { name: 'an id that is none', relatesTo: { rel_type: 'm.thread', event_id: 'a' }, relation: undefined },
  { name: 'a text instead of an object', relatesTo: 'm.thread', relation: undefined },
];

test.for(relations)('what an event relates to: $name', ({ relatesTo, relation }) => {
  expect(relationOf({ 'm.relates_to': relatesTo })).toEqual(relation);
});

test('only memberships that exist have a number', () => {
  expect(['join', 'invite', 'leave', 'ban', 'knock'].map((membership) => membershipNo({ membership }))).toEqual([
    1, 2, 3, 4, 5,
  ]);
  expect(membershipNo({ membership: 'toString' })).toBeUndefined();
  expect(membershipNo({})).toBeUndefined();
});

const unmarked: { name: string; stateKey?: string; content: JsonObject; is: boolean }[] = [
  { name: 'a text', content: { msgtype: 'm.text', body: 'hi' }, is: true },
  { name: 'a sticker', content: { body: 'hi' }, is: true },
  { name: 'a notice', content: { msgtype: 'm.notice', body: 'hi' }, is: false },
  { name: 'a text that mentions nobody', content: { body: 'hi', 'm.mentions': {} }, is: false },
  { name: 'a text with mentions that are none', content: { body: 'hi', 'm.mentions': null }, is: false },
  { name: 'no text', content: { body: 1 }, is: false },
  { name: 'state', stateKey: '', content: { body: 'hi' }, is: false },
];

test.for(unmarked)('names are looked for in $name: $is', ({ stateKey, content, is }) => {
  expect(isUnmarkedText(stateKey, content)).toBe(is);
});

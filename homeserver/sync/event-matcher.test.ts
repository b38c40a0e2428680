import { expect, test } from 'vitest';
import { MatrixError } from '../errors.ts';
import { compileFilter } from './event-matcher.ts';
import { parseFilterText, SyncFilter } from './filter-schema.ts';
import { compileWildcard } from './wildcard.ts';

test.for([
  { pattern: 'm.room.*', yes: ['m.room.', 'm.room.name'], no: ['m.roomx', 'x.m.room.name'] },
  { pattern: '*', yes: ['', 'anything'], no: [] },
  { pattern: '*.name', yes: ['.name', 'm.room.name'], no: ['name', 'm.room.names'] },
  { pattern: 'a*b*c', yes: ['abc', 'axxbyyc', 'abbc'], no: ['ab', 'acb', 'abcd'] },
  { pattern: 'a*a', yes: ['aa', 'aba'], no: ['a'] },
  { pattern: 'm.[x]+', yes: ['m.[x]+'], no: ['m.xx'] },
])('the pattern $pattern matches what it should', ({ pattern, yes, no }) => {
  const matches = compileWildcard(pattern);
  expect(yes.filter((text) => !matches(text))).toEqual([]);
  expect(no.filter((text) => matches(text))).toEqual([]);
});

test('a pattern of many stars is matched without going back', () => {
  const matches = compileWildcard(`${'*a'.repeat(100)}*b`);
  expect(matches(`${'a'.repeat(60_000)}c`)).toBe(false);
});

const event = (type: string, sender = '@a:b', url = false) => ({ type, sender, hasUrl: () => url });

test.for([
  { name: 'an empty filter', filter: {}, passes: true },
  { name: 'a type among the wanted', filter: { types: ['m.room.message'] }, passes: true },
  { name: 'an empty list of wanted types', filter: { types: [] }, passes: false },
  { name: 'not_types before types', filter: { types: ['m.*'], not_types: ['m.room.*'] }, passes: false },
  { name: 'another sender', filter: { senders: ['@x:b'] }, passes: false },
  { name: 'not_senders', filter: { not_senders: ['@a:b'] }, passes: false },
  { name: 'contains_url true without url', filter: { contains_url: true }, passes: false },
  { name: 'contains_url false without url', filter: { contains_url: false }, passes: true },
])('$name decides on a message', ({ filter, passes }) => {
  expect(compileFilter(filter).matches(event('m.room.message'))).toBe(passes);
});

test('rooms and not_rooms decide on the room', () => {
  const matcher = compileFilter({ rooms: ['!a', '!b'], not_rooms: ['!b'] });
  expect(['!a', '!b', '!c'].filter((room) => matcher.matchesRoom(room))).toEqual(['!a']);
});

test.for([
  { text: '{', says: 'not JSON' },
  { text: '{"room":{"timeline":{"limit":-1}}}', says: 'room.timeline.limit' },
  { text: '{"event_format":"raw"}', says: 'event_format' },
  { text: '[]', says: 'filter' },
])('a wrong filter is refused and the member named: $text', ({ text, says }) => {
  expect(() => parseFilterText(SyncFilter, text)).toThrow(MatrixError);
  expect(() => parseFilterText(SyncFilter, text)).toThrow(says);
});

import { expect, test } from 'vitest';
import { ALL_RULES, rulesOf } from '../../test/support/room-story.ts';
import { parsePdu, roomEventOf } from './event-format.ts';
import { eventIdOf } from './event-hash.ts';
import { isJsonObject, type JsonObject } from './json-value.ts';
import { carriesEventId } from './room-versions.ts';
import { parseLooseJson, parseStrictJson } from './strict-json.ts';

const v11 = rulesOf('11');
const v12 = rulesOf('12');
const id = (n: number) => `$${String(n).padStart(43, 'x')}`;
const many = (count: number) => Array.from({ length: count }, (_, n) => id(n));

const pdu: JsonObject = {
  type: 'm.room.topic',
  room_id: '!room:one',
  sender: '@a:one',
  state_key: '',
  content: { topic: 'x' },
  depth: 7,
  origin_server_ts: 1_700_000_000_000,
  prev_events: [id(1)],
  auth_events: [id(2), id(3)],
  hashes: { sha256: 'aGFzaA' },
  signatures: { one: { 'ed25519:1': 'c2ln' } },
};

function without(object: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}

test('a good event is read into its view', () => {
  expect(parsePdu(pdu, v11)).toMatchObject({
    ok: true,
    event: {
      eventId: eventIdOf(pdu, v11),
      roomId: '!room:one',
      type: 'm.room.topic',
      stateKey: '',
      sender: '@a:one',
      content: { topic: 'x' },
      depth: 7,
      originServerTs: 1_700_000_000_000,
      prevEvents: [id(1)],
      authEvents: [id(2), id(3)],
      redacts: undefined,
      signedBy: ['one'],
      carriesRoomId: true,
    },
  });
});

test('a view of stored text with a known id is the same as when it was received', () => {
  const received = parsePdu(pdu, v11);
  expect(received.ok && roomEventOf(pdu, received.event.eventId, v11)).toEqual(received.ok && received.event);
});

const faults: { name: string; change: JsonObject; code: string }[] = [
  { name: 'a fraction in the content', change: { content: { x: 1.5 } }, code: 'not_canonical' },
  { name: 'a lone surrogate', change: { content: { x: '\udc00' } }, code: 'not_canonical' },
  { name: 'more than 65,536 bytes', change: { content: { x: 'é'.repeat(33_000) } }, code: 'too_large' },
  { name: 'a type of 256 bytes', change: { type: 'é'.repeat(128) }, code: 'key_too_long' },
  { name: 'a state key of 256 bytes', change: { state_key: 'x'.repeat(256) }, code: 'key_too_long' },
  { name: 'a NUL in the state key', change: { state_key: 'a\0b' }, code: 'bad_field' },
  { name: 'a state key that is null', change: { state_key: null }, code: 'bad_field' },
  { name: 'a type that is a number', change: { type: 1 }, code: 'bad_field' },
  { name: 'a sender that is no user id', change: { sender: 'a:one' }, code: 'bad_field' },
  { name: 'a sender of 256 bytes', change: { sender: `@${'x'.repeat(251)}:one` }, code: 'bad_field' },
  { name: 'a room id of another shape', change: { room_id: 'room' }, code: 'bad_field' },
  { name: 'content that is a list', change: { content: [] }, code: 'bad_field' },
  { name: 'a depth below zero', change: { depth: -1 }, code: 'bad_field' },
  { name: 'a depth that is a string', change: { depth: '1' }, code: 'bad_field' },
  { name: 'a time that is a string', change: { origin_server_ts: '1' }, code: 'bad_field' },
  { name: '21 previous events', change: { prev_events: many(21) }, code: 'too_many_references' },
  { name: '11 auth events', change: { auth_events: many(11) }, code: 'too_many_references' },
  {
    name: 'previous events in the form of versions 1 and 2',
    change: { prev_events: [[id(1), {}]] },
    code: 'bad_field',
  },
  { name: 'previous events that are an object', change: { prev_events: {} }, code: 'bad_field' },
  { name: 'hashes without sha256', change: { hashes: {} }, code: 'bad_field' },
  { name: 'signatures that are a list', change: { signatures: [] }, code: 'bad_field' },
  { name: 'a signature that is a number', change: { signatures: { one: { 'ed25519:1': 1 } } }, code: 'bad_field' },
];

test.for(faults)('an event with $name is refused as $code', ({ change, code }) => {
  expect(parsePdu({ ...pdu, ...change }, v11)).toMatchObject({ ok: false, code });
});

const required = [
  'type',
  'room_id',
  'sender',
  'content',
  'depth',
  'origin_server_ts',
  'prev_events',
  'auth_events',
  'hashes',
  'signatures',
];

test.for(required)('an event without %s is refused', (key) => {
  expect(parsePdu(without(pdu, key), v11)).toMatchObject({ ok: false, code: 'bad_field' });
});

test('limits themselves are within bounds: 20 previous and 10 auth events, 255 bytes of type', () => {
  const change = { prev_events: many(20), auth_events: many(10), type: 'x'.repeat(255) };
  expect(parsePdu({ ...pdu, ...change }, v11)).toMatchObject({ ok: true });
});

test('the target of a redaction is read where the room version keeps it', () => {
  const both = { ...pdu, type: 'm.room.redaction', redacts: id(8), content: { redacts: id(9) } };
  expect(parsePdu(both, rulesOf('10'))).toMatchObject({ event: { redacts: id(8) } });
  expect(parsePdu(both, v11)).toMatchObject({ event: { redacts: id(9) } });
  expect(parsePdu({ ...both, content: { redacts: 1 } }, v11)).toMatchObject({ event: { redacts: undefined } });
  expect(parsePdu({ ...pdu, redacts: id(8) }, rulesOf('10'))).toMatchObject({ event: { redacts: undefined } });
});

test('a create event of version 12 that carries a room id is read, for the auth rules to refuse', () => {
  const create: JsonObject = { ...pdu, type: 'm.room.create', prev_events: [], auth_events: [] };
  const bare = without(create, 'room_id');
  expect(parsePdu(bare, v12)).toMatchObject({
    ok: true,
    event: { carriesRoomId: false, roomId: `!${eventIdOf(bare, v12).slice(1)}` },
  });
  expect(parsePdu(create, v12)).toMatchObject({ ok: true, event: { carriesRoomId: true } });
  expect(parsePdu(bare, v11)).toMatchObject({ ok: false, code: 'bad_field' });
});

test('a create event of version 12 with a state key makes no room: it needs a room id like any event', () => {
  const odd: JsonObject = { ...pdu, type: 'm.room.create', state_key: 'x' };
  expect(parsePdu(odd, v12)).toMatchObject({ ok: true, event: { carriesRoomId: true, roomId: '!room:one' } });
  expect(parsePdu(without(odd, 'room_id'), v12)).toMatchObject({ ok: false, code: 'bad_field' });
  expect(parsePdu(without(without(odd, 'room_id'), 'state_key'), v12)).toMatchObject({ ok: false, code: 'bad_field' });
});

const oldPdu: JsonObject = {
  ...pdu,
  event_id: '$first:one',
  prev_events: [['$before:two', { sha256: 'aGFzaA' }]],
  auth_events: [],
};

test.for(['1', '2'])(
  'version %s: an event has the id that it carries and names others with their hashes',
  (version) => {
    expect(parsePdu(oldPdu, rulesOf(version))).toMatchObject({
      ok: true,
      event: { eventId: '$first:one', prevEvents: ['$before:two'], authEvents: [] },
    });
  },
);

const oldFaults: { name: string; change: JsonObject }[] = [
  { name: 'no event id', change: { event_id: null } },
  { name: 'an event id that names no server', change: { event_id: '$hash' } },
  { name: 'parents in the form of later versions', change: { prev_events: ['$before:two'] } },
  { name: 'a parent without hashes', change: { prev_events: [['$before:two']] } },
  { name: 'a parent with a third part', change: { prev_events: [['$before:two', {}, 1]] } },
];

test.for(oldFaults)('an event of version 1 with $name is refused', ({ change }) => {
  expect(parsePdu({ ...oldPdu, ...change }, rulesOf('1'))).toMatchObject({ ok: false, code: 'bad_field' });
});

test('version 3 names an event by its hash in plain Base64, later ones in the URL-safe one', () => {
  const idOf = (version: string) => (depth: number) => eventIdOf({ ...pdu, depth }, rulesOf(version));
  const plain = many(20).map((_, depth) => idOf('3')(depth));
  expect(plain.join('')).toMatch(/[+].*[/]|[/].*[+]/);
  expect(many(20).map((_, depth) => idOf('4')(depth))).toEqual(
    plain.map((eventId) => eventId.replaceAll('+', '-').replaceAll('/', '_')),
  );
});

/** A fraction, an exponent and an integer beyond 2^53-1 in the content, and a depth as deep as it goes. */
const looseText =
  '{"content":{"a":1.50,"b":2e3,"c":9007199254740993,"d":1.0},"depth":9223372036854775807,"hashes":{"sha256":"aGFzaA"},' +
  '"auth_events":[],"origin_server_ts":5,"prev_events":[],"room_id":"!r:one","sender":"@a:one","signatures":{},"type":"x"}';

test.for(ALL_RULES)('version $version: numbers that are no plain integers', (rules) => {
  const read = parseLooseJson(looseText);
  const object = read.ok && isJsonObject(read.value) ? read.value : {};
  const change = carriesEventId(rules) ? { event_id: '$x:one' } : {};
  const parsed = parsePdu({ ...object, ...change }, rules);
  if (rules.numbers === 'integers') {
    expect(parsed).toMatchObject({ ok: false, code: 'not_canonical' });
  } else {
    expect(parsed).toMatchObject({ ok: true, event: { depth: 2 ** 63 } });
    expect(parsed.ok && parsed.json).toContain('{"a":1.5,"b":2000.0,"c":9007199254740993,"d":1.0}');
    expect(parsed.ok && parsed.json).toContain('"depth":9223372036854775807');
  }
});

test('members named as inherited properties are read as what they are', () => {
  const odd = parseStrictJson('{"__proto__":{"type":"m.room.create"},"constructor":1}');
  expect(odd.ok && isJsonObject(odd.value) && parsePdu(odd.value, v11)).toMatchObject({ ok: false, code: 'bad_field' });
});

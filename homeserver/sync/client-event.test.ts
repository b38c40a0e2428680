import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unsignedPdus } from '../../test/support/arbitraries.ts';
import { ALL_RULES } from '../../test/support/room-story.ts';
import { canonicalJson } from '../room/canonical-json.ts';
import { cutForm } from '../room/cut-form.ts';
import type { JsonObject } from '../room/json-value.ts';
import { ROOM_VERSIONS } from '../room/room-versions.ts';
import { clientEventJson, eventContentJson, strippedEventJson } from './client-event.ts';
import { jsonMembers } from './json-members.ts';

const pdu = {
  auth_events: ['$a', '$b'],
  content: { body: 'a "quoted" \\ {[text]} \u0000é', msgtype: 'm.text', n: { deep: [1, { x: '}' }] } },
  depth: 12,
  hashes: { sha256: 'abc' },
  origin_server_ts: 1000,
  prev_events: ['$c'],
  room_id: '!r:example.org',
  sender: '@alice:example.org',
  signatures: { 'example.org': { 'ed25519:1': 'sig' } },
  type: 'm.room.message',
  unsigned: { age: 1 },
};
const base = { eventId: '$event', roomId: '!r:example.org', originServerTs: 1000 };
const view = { now: 5000, withRoomId: true };

function rulesOf(version: string) {
  const rules = ROOM_VERSIONS.get(version);
  if (rules === undefined) throw new Error(`no rules for room version ${version}`);
  return rules;
}

test('a client gets the event without what is only for servers', () => {
  expect(JSON.parse(clientEventJson({ ...base, json: JSON.stringify(pdu) }, view))).toEqual({
    content: pdu.content,
    event_id: '$event',
    origin_server_ts: 1000,
    room_id: '!r:example.org',
    sender: '@alice:example.org',
    type: 'm.room.message',
    unsigned: { age: 4000 },
  });
});

test('in the format of the federation an event has all that servers give each other, and its id', () => {
  const inFederation = { now: 5000, withRoomId: false, federationFormat: true };
  expect(JSON.parse(clientEventJson({ ...base, json: JSON.stringify(pdu) }, inFederation))).toEqual({
    ...pdu,
    event_id: '$event',
    unsigned: { age: 4000 },
  });
  const redacted = { ...base, json: JSON.stringify(pdu), redaction: { rules: rulesOf('11') } };
  expect(JSON.parse(clientEventJson(redacted, inFederation))).toMatchObject({ content: {}, depth: 12 });
});

test('the content is passed on byte for byte', () => {
  const json = '{"content": {"b":1.50,"a":"\\u00e9"} ,"type":"x","sender":"@a:b","origin_server_ts":1}';
  expect(clientEventJson({ ...base, json }, view)).toContain('"content":{"b":1.50,"a":"\\u00e9"},');
});

test('sync events carry no room id, and a create event of version 12 gets one elsewhere', () => {
  const json = JSON.stringify({ ...pdu, room_id: undefined, type: 'm.room.create', state_key: '' });
  expect(JSON.parse(clientEventJson({ ...base, json }, { now: 1000, withRoomId: false }))).not.toHaveProperty(
    'room_id',
  );
  expect(JSON.parse(clientEventJson({ ...base, json }, view))).toMatchObject({
    room_id: '!r:example.org',
    state_key: '',
  });
});

test('unsigned holds what the reader may know', () => {
  const more = { transactionId: 't"1', membership: 'join', prevContent: '{"name":"old"}', replacesState: '$old' };
  expect(JSON.parse(clientEventJson({ ...base, json: JSON.stringify(pdu) }, { ...view, ...more }))).toMatchObject({
    unsigned: {
      age: 4000,
      transaction_id: 't"1',
      membership: 'join',
      prev_content: { name: 'old' },
      replaces_state: '$old',
    },
  });
});

test('a redacted event comes redacted, with the redaction', () => {
  const because = {
    eventId: '$why',
    originServerTs: 3000,
    json: JSON.stringify({ ...pdu, type: 'm.room.redaction', content: { redacts: '$event', reason: 'spam' } }),
  };
  const event = { ...base, json: JSON.stringify(pdu), redaction: { rules: rulesOf('11'), because } };
  expect(JSON.parse(clientEventJson(event, view))).toEqual({
    content: {},
    event_id: '$event',
    origin_server_ts: 1000,
    room_id: '!r:example.org',
    sender: '@alice:example.org',
    type: 'm.room.message',
    unsigned: {
      age: 4000,
      redacted_because: {
        content: { redacts: '$event', reason: 'spam' },
        event_id: '$why',
        origin_server_ts: 1000,
        redacts: '$event',
        room_id: '!r:example.org',
        sender: '@alice:example.org',
        type: 'm.room.redaction',
        unsigned: { age: 2000 },
      },
    },
  });
  expect(eventContentJson(event)).toBe('{}');
});

test.for([
  { name: 'version 10 has it at the top level', extra: { redacts: '$x' }, content: { reason: 'r' } },
  { name: 'version 10 without a reason', extra: { redacts: '$x' }, content: {} },
  { name: 'version 11 has it in the content', extra: {}, content: { reason: 'r', redacts: '$x' } },
])('a redaction names its target in both places: $name', ({ extra, content }) => {
  const json = JSON.stringify({ ...pdu, ...extra, type: 'm.room.redaction', content });
  expect(JSON.parse(clientEventJson({ ...base, json }, view))).toMatchObject({
    redacts: '$x',
    content: { ...content, redacts: '$x' },
  });
});

test('stripped state has four members', () => {
  const json = JSON.stringify({ ...pdu, type: 'm.room.name', state_key: '', content: { name: 'n' } });
  expect(JSON.parse(strippedEventJson({ ...base, json }))).toEqual({
    type: 'm.room.name',
    state_key: '',
    sender: '@alice:example.org',
    content: { name: 'n' },
  });
});

test.for(['{"a":1', '[1]', '{"a" 1}', '{"a":"x}', '{"a":[1}', ''])('text that is no object is refused: %s', (text) => {
  expect(() => jsonMembers(text)).toThrow(SyntaxError);
});

test.for(ALL_RULES)('version $version: of a redacted event a client gets the same once it is cut', (rules) => {
  const because = { eventId: '$because', json: '{"type":"m.room.redaction","content":{}}', originServerTs: 2000 };
  fc.assert(
    fc.property(unsignedPdus(rules), fc.boolean(), (unsigned, federationFormat) => {
      const given = (event: JsonObject) =>
        clientEventJson(
          { ...base, json: canonicalJson(event), redaction: { rules, because } },
          { ...view, federationFormat },
        );
      expect(given(cutForm(unsigned, rules))).toBe(given(unsigned));
    }),
  );
});

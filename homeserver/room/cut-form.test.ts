import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unsignedPdus } from '../../test/support/arbitraries.ts';
import { ALL_RULES, rulesOf } from '../../test/support/room-story.ts';
import { cutForm } from './cut-form.ts';
import { contentHash, eventIdOf } from './event-hash.ts';
import type { JsonObject } from './json-value.ts';
import { redact } from './redaction.ts';

const cases = [
  {
    of: 'a message',
    version: '12',
    pdu: { type: 'm.room.message', content: { body: 'secret' }, unsigned: { age: 1 } },
    left: {},
  },
  {
    of: 'a topic',
    version: '12',
    pdu: { type: 'm.room.topic', state_key: '', content: { topic: 'secret' } },
    left: {},
  },
  {
    of: 'power levels before version 11',
    version: '10',
    pdu: {
      type: 'm.room.power_levels',
      state_key: '',
      content: { ban: 1, invite: 2, notifications: { room: 3 }, note: 'secret' },
    },
    left: { ban: 1, invite: 2, notifications: { room: 3 } },
  },
  {
    of: 'a create event before version 11',
    version: '10',
    pdu: { type: 'm.room.create', state_key: '', content: { creator: '@a:b', 'm.federate': false } },
    left: { creator: '@a:b', 'm.federate': false },
  },
  {
    of: 'a join of version 8 by another member',
    version: '8',
    pdu: {
      type: 'm.room.member',
      state_key: '@a:b',
      content: { membership: 'join', displayname: 'secret', join_authorised_via_users_server: '@v:b' },
    },
    left: { membership: 'join', join_authorised_via_users_server: '@v:b' },
  },
  {
    of: 'an invite of an address before version 11',
    version: '10',
    pdu: {
      type: 'm.room.member',
      state_key: '@a:b',
      content: { membership: 'invite', third_party_invite: { display_name: 'secret', signed: { token: 't' } } },
    },
    left: { membership: 'invite', third_party_invite: { signed: { token: 't' } } },
  },
  {
    of: 'an invitation of an address',
    version: '12',
    pdu: {
      type: 'm.room.third_party_invite',
      state_key: 't',
      content: { display_name: 'secret', key_validity_url: 'secret', public_key: 'k', public_keys: [] },
    },
    left: { public_key: 'k', public_keys: [] },
  },
  {
    of: 'a message that is called power levels',
    version: '12',
    pdu: { type: 'm.room.power_levels', content: { notifications: { secret: 1 } } },
    left: {},
  },
];

test.for(cases)('of $of stays what redaction leaves and what auth rules read', ({ version, pdu, left }) => {
  const cut = cutForm(pdu, rulesOf(version));
  expect(cut['content']).toEqual(left);
  expect(cut).not.toHaveProperty('unsigned');
});

test('a redaction that is redacted loses its reason, and still says what it redacts', () => {
  const before11 = { type: 'm.room.redaction', redacts: '$a', content: { reason: 'secret' } };
  expect(cutForm(before11, rulesOf('10'))).toEqual({ type: 'm.room.redaction', redacts: '$a', content: {} });
  const since11 = { type: 'm.room.redaction', content: { redacts: '$a', reason: 'secret' } };
  expect(cutForm(since11, rulesOf('11'))).toEqual({ type: 'm.room.redaction', content: { redacts: '$a' } });
});

test.for(ALL_RULES)(
  'version $version: cutting twice is cutting once, and takes nothing that redaction leaves',
  (rules) => {
    fc.assert(
      fc.property(unsignedPdus(rules), (pdu) => {
        const full: JsonObject = { ...pdu, hashes: { sha256: contentHash(pdu) } };
        const cut = cutForm(full, rules);
        expect(cutForm(cut, rules)).toEqual(cut);
        expect(redact(cut, rules)).toEqual(redact(full, rules));
        expect(eventIdOf(cut, rules)).toBe(eventIdOf(full, rules));
      }),
    );
  },
);

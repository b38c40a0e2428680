import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonObjects, unsignedPdus } from '../../test/support/arbitraries.ts';
import { ALL_RULES, rulesOf, tell } from '../../test/support/room-story.ts';
import { contentHash, eventIdOf } from './event-hash.ts';
import { isJsonObject, type JsonObject } from './json-value.ts';
import { powerLevelsOf } from './power-levels.ts';
import { redactionApplies } from './redaction-permission.ts';
import { redact } from './redaction.ts';

const content: JsonObject = {
  membership: 'invite',
  join_authorised_via_users_server: '@v:one',
  third_party_invite: { display_name: 'd', signed: { token: 't' } },
  creator: '@c:one',
  room_version: '11',
  join_rule: 'restricted',
  allow: [],
  ban: 1,
  events: {},
  events_default: 1,
  invite: 1,
  kick: 1,
  redact: 1,
  state_default: 1,
  users: {},
  users_default: 1,
  notifications: {},
  history_visibility: 'shared',
  redacts: '$x',
  aliases: [],
  body: 'secret',
};
const levels = 'ban events events_default kick redact state_default users users_default';

/** Content keys that stay from that room version on. */
const kept: { type: string; from: readonly (readonly [version: number, keys: string])[] }[] = [
  {
    type: 'm.room.member',
    from: [
      [1, 'membership'],
      [9, 'membership join_authorised_via_users_server'],
      [11, 'membership join_authorised_via_users_server third_party_invite'],
    ],
  },
  {
    type: 'm.room.create',
    from: [
      [1, 'creator'],
      [11, Object.keys(content).join(' ')],
    ],
  },
  {
    type: 'm.room.join_rules',
    from: [
      [1, 'join_rule'],
      [8, 'join_rule allow'],
    ],
  },
  {
    type: 'm.room.power_levels',
    from: [
      [1, levels],
      [11, `${levels} invite`],
    ],
  },
  { type: 'm.room.history_visibility', from: [[1, 'history_visibility']] },
  {
    type: 'm.room.redaction',
    from: [
      [1, ''],
      [11, 'redacts'],
    ],
  },
  {
    type: 'm.room.aliases',
    from: [
      [1, 'aliases'],
      [6, ''],
    ],
  },
  { type: 'm.room.message', from: [[1, '']] },
];

const keptByVersion = kept.flatMap(({ type, from }) =>
  ALL_RULES.map((rules) => {
    const [, keys = ''] = from.findLast(([version]) => version <= Number(rules.version)) ?? [];
    return { type, rules, version: rules.version, keys: keys.split(' ').filter((key) => key !== '') };
  }),
);

test.for(keptByVersion)('version $version: $type keeps $keys of its content', ({ type, rules, keys }) => {
  const left = redact({ type, content }, rules)['content'];
  expect(new Set(Object.keys(isJsonObject(left) ? left : {}))).toEqual(new Set(keys));
});

test('at the top level, versions from 11 on drop origin, membership and prev_state', () => {
  const kept11 =
    'event_id type room_id sender state_key content hashes signatures depth prev_events auth_events origin_server_ts';
  const before11 = `${kept11} prev_state origin membership`;
  const pdu = Object.fromEntries(`${before11} unsigned redacts age other`.split(' ').map((key) => [key, key]));
  expect(new Set(Object.keys(redact(pdu, rulesOf('10'))))).toEqual(new Set(before11.split(' ')));
  expect(new Set(Object.keys(redact(pdu, rulesOf('12'))))).toEqual(new Set(kept11.split(' ')));
});

test('in versions 1 and 2 a redaction that the auth rules let in takes effect whoever sent it', () => {
  const power = powerLevelsOf({ get: () => undefined }, rulesOf('2'));
  const redaction = tell({ type: 'm.room.redaction', sender: '@alice:three', redacts: '$t:one' }, rulesOf('2'));
  const target = { type: 'm.room.message', sender: '@x:two', eventId: '$t:one' };
  expect(redactionApplies(redaction, tell(target, rulesOf('2')), power)).toBe(true);
});

test.for([
  [{ display_name: 'd', signed: { token: 't' } }, { third_party_invite: { signed: { token: 't' } } }],
  [{ display_name: 'd' }, { third_party_invite: {} }],
  ['text', {}],
] as const)('of the third-party invite %j stays %j', ([third_party_invite, left]) => {
  expect(redact({ type: 'm.room.member', content: { third_party_invite } }, rulesOf('11'))['content']).toEqual(left);
});

test.for(ALL_RULES)(
  'version $version: redacting twice is redacting once, and neither changes the event id',
  (rules) => {
    fc.assert(
      fc.property(unsignedPdus(rules), jsonObjects(), (pdu, other) => {
        const full: JsonObject = { ...pdu, hashes: { sha256: contentHash(pdu) } };
        const once = redact(full, rules);
        expect(redact(once, rules)).toEqual(once);
        expect(eventIdOf(once, rules)).toBe(eventIdOf(full, rules));
        expect(eventIdOf({ ...full, unsigned: other, signatures: { s: {} } }, rules)).toBe(eventIdOf(full, rules));
        expect(eventIdOf({ ...full, depth: pdu.depth === 0 ? 1 : 0 }, rules)).not.toBe(eventIdOf(full, rules));
      }),
    );
  },
);

test('the body of a message does not count for its id, its hashes do', () => {
  const rules = rulesOf('12');
  const pdu = { type: 'm.room.message', content: { body: 'a' }, hashes: { sha256: 'x' } };
  expect(eventIdOf({ ...pdu, content: { body: 'b' } }, rules)).toBe(eventIdOf(pdu, rules));
  expect(eventIdOf({ ...pdu, hashes: { sha256: 'y' } }, rules)).not.toBe(eventIdOf(pdu, rules));
});

const applying = [
  { name: 'by a moderator', sender: '@mod:one', target: '@x:two', says: true },
  { name: 'by one without power, from another server', sender: '@alice:three', target: '@x:two', says: false },
  { name: 'by one without power, from the same server', sender: '@alice:two', target: '@x:two', says: true },
];

test.for(applying)('a redaction $name takes effect: $says', ({ sender, target, says }) => {
  const rules = rulesOf('11');
  const state = tell({ type: 'm.room.power_levels', stateKey: '', content: { users: { '@mod:one': 50 } } }, rules);
  const power = powerLevelsOf({ get: (type) => (type === 'm.room.power_levels' ? state : undefined) }, rules);
  const redaction = tell({ type: 'm.room.redaction', sender, redacts: '$target' }, rules);
  const message = { type: 'm.room.message', sender: target, eventId: '$target' };
  expect(redactionApplies(redaction, tell(message, rules), power)).toBe(says);
  expect(redactionApplies(redaction, tell({ ...message, eventId: '$other' }, rules), power)).toBe(false);
  expect(redactionApplies(redaction, tell({ ...message, roomId: '!other:one' }, rules), power)).toBe(false);
});

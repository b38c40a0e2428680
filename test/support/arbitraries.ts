import fc from 'fast-check';
import type { UnsignedPdu } from '../../homeserver/room/event-format.ts';
import type { EventId, EventReference, UserId } from '../../homeserver/room/identifiers.ts';
import type { JsonObject, JsonValue } from '../../homeserver/room/json-value.ts';
import { carriesEventId, type RoomVersionRules } from '../../homeserver/room/room-versions.ts';
import { eventId, roomId, userId, type Told } from './room-story.ts';

/** Strings of any code points but lone surrogates: controls, quotes, both sides of the surrogate range. */
export function texts(maxLength = 12): fc.Arbitrary<string> {
  const edges = fc.constantFrom(
    '',
    'a',
    '"',
    '\\',
    '\n',
    '\u0000',
    '\u001f',
    '\u007f',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '😀',
  );
  return fc.oneof(fc.string({ unit: 'binary', maxLength }), fc.string({ unit: edges, maxLength }));
}

/** Whatever canonical JSON can carry, nested a few levels deep. */
export function jsonValues(): fc.Arbitrary<JsonValue> {
  const leaf = fc.oneof(fc.constant(null), fc.boolean(), fc.maxSafeInteger(), texts());
  return fc.letrec<{ value: JsonValue; object: JsonObject }>((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('value'), { maxLength: 4 }), tie('object')),
    object: fc.dictionary(texts(6), tie('value'), { maxKeys: 6, noNullPrototype: true }),
  })).value;
}

/** Objects that canonical JSON can carry. */
export function jsonObjects(): fc.Arbitrary<JsonObject> {
  return fc.dictionary(texts(6), jsonValues(), { maxKeys: 6, noNullPrototype: true });
}

/** Server names of every shape: names, IPv4 and IPv6 literals, with and without port. */
export function serverNames(): fc.Arbitrary<string> {
  const host = fc.oneof(fc.domain(), fc.ipV4(), fc.constantFrom('[::1]', '[2001:db8::7]', 'localhost'));
  return fc
    .tuple(host, fc.option(fc.integer({ min: 1, max: 65_535 })))
    .map(([name, port]) => (port === null ? name : `${name}:${port}`));
}

/** User ids as new accounts get them. */
export function userIds(): fc.Arbitrary<UserId> {
  const localpart = fc.string({ unit: fc.constantFrom(...'abcz019._=-/+'), minLength: 1, maxLength: 20 });
  return fc
    .tuple(localpart, fc.constantFrom('one', 'two.example', 'three:8448'))
    .map(([name, server]) => userId(`@${name}:${server}`));
}

/** Event ids as room versions from 4 on make them. */
export function eventIds(): fc.Arbitrary<EventId> {
  return fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((hash) => eventId(`$${Buffer.from(hash).toString('base64url')}`));
}

/** How an event of the room version names another one. */
function references(rules: RoomVersionRules): fc.Arbitrary<EventReference> {
  return carriesEventId(rules) ? eventIds().map((id) => [eventId(`${id}:one`), { sha256: id.slice(1) }]) : eventIds();
}

/** Events before hashes and signatures, of the types that redaction treats apart and of others. */
export function unsignedPdus(rules: RoomVersionRules): fc.Arbitrary<UnsignedPdu> {
  const parts = fc.record({
    type: fc.constantFrom(...REDACTION_TYPES),
    sender: userIds(),
    content: fc.tuple(jsonObjects(), keptContent()).map(([any, kept]) => ({ ...any, ...kept })),
    depth: fc.maxSafeNat(),
    origin_server_ts: fc.maxSafeNat(),
    ...(carriesEventId(rules) ? { event_id: eventIds().map((id) => eventId(`${id}:one`)) } : {}),
    prev_events: fc.array(references(rules), { maxLength: 20 }),
    auth_events: fc.array(references(rules), { maxLength: 10 }),
  });
  return fc.tuple(parts, fc.option(texts(20))).map(([pdu, stateKey]) => {
    if (pdu.type === 'm.room.create' && rules.roomIdFormat === 'create-event-hash') return { ...pdu, state_key: '' };
    const isState = stateKey !== null && !stateKey.includes('\0');
    return { ...pdu, room_id: roomId('!any:one'), ...(isState ? { state_key: stateKey } : {}) };
  });
}

const REDACTION_TYPES = [
  'm.room.member',
  'm.room.create',
  'm.room.join_rules',
  'm.room.power_levels',
  'm.room.history_visibility',
  'm.room.redaction',
  'm.room.aliases',
  'm.room.message',
];

/** Members that redaction keeps for one type and drops for another. */
function keptContent(): fc.Arbitrary<JsonObject> {
  const keys = [
    'membership',
    'creator',
    'join_rule',
    'allow',
    'ban',
    'invite',
    'users',
    'history_visibility',
    'aliases',
    'redacts',
  ];
  const thirdParty = fc.constantFrom<JsonValue>('x', {}, { signed: {} }, { signed: { token: 't' }, display_name: 'd' });
  const plain = fc.dictionary(fc.constantFrom(...keys), jsonValues(), { maxKeys: 4, noNullPrototype: true });
  return fc
    .tuple(plain, fc.option(thirdParty))
    .map(([kept, invite]) => (invite === null ? kept : { ...kept, third_party_invite: invite }));
}

/** What users of a story's room may try, allowed or not: memberships, join rules, power levels, messages. */
export function roomActions(users: readonly string[]): fc.Arbitrary<Told[]> {
  const user = fc.constantFrom(...users);
  const level = fc.constantFrom(-1, 0, 25, 49, 50, 51, 99, 100, 101, Number.MAX_SAFE_INTEGER);
  const membership = fc
    .tuple(user, user, fc.constantFrom('join', 'invite', 'leave', 'ban', 'knock'))
    .map(([sender, stateKey, to]) => ({ type: 'm.room.member', sender, stateKey, content: { membership: to } }));
  const rule = fc
    .tuple(user, fc.constantFrom('public', 'invite', 'knock', 'restricted'))
    .map(([sender, join_rule]) => ({ type: 'm.room.join_rules', sender, stateKey: '', content: { join_rule } }));
  const power = fc
    .tuple(
      user,
      fc.dictionary(user, level),
      fc.dictionary(fc.constantFrom('ban', 'kick', 'invite', 'users_default'), level),
    )
    .map(([sender, levels, others]) => ({
      type: 'm.room.power_levels',
      sender,
      stateKey: '',
      content: { ...others, users: levels },
    }));
  const message = user.map((sender) => ({ type: 'm.room.message', sender, content: { body: 'x' } }));
  return fc.array(fc.oneof(membership, rule, power, message), { maxLength: 30 });
}

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonObjects, unsignedPdus } from '../../test/support/arbitraries.ts';
import {
  ALL_RULES,
  eventId,
  roomId,
  rulesOf,
  serverName,
  tell,
  userId,
  type Told,
} from '../../test/support/room-story.ts';
import { canonicalJson } from './canonical-json.ts';
import { EventFormatError, parsePdu, type UnsignedPdu } from './event-format.ts';
import { contentHash, eventIdOf, hasValidContentHash, referenceTo } from './event-hash.ts';
import { finishPdu, requiredSigners, signEvent, signingKeyFromSeed, signJson, verifyJson } from './event-signature.ts';
import { isJsonObject, type JsonObject } from './json-value.ts';
import { redact } from './redaction.ts';
import { carriesEventId } from './room-versions.ts';
import { parseStrictJson } from './strict-json.ts';

// Key, server name and examples of the specification's appendix, "Cryptographic Test Vectors".
const key = signingKeyFromSeed('ed25519:1', Buffer.from('YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1', 'base64'));
const domain = serverName('domain');

const signed = [
  {
    object: {},
    signature: 'K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ',
  },
  {
    object: { one: 1, two: 'Two' },
    signature: 'KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw',
  },
];

test.for(signed)('the published signature of $object', ({ object, signature }) => {
  expect(signJson(object, domain, key)).toEqual({ ...object, signatures: { domain: { 'ed25519:1': signature } } });
});

const events = [
  {
    name: 'minimal event',
    pdu: {
      room_id: '!x:domain',
      sender: '@a:domain',
      origin: 'domain',
      origin_server_ts: 1000000,
      signatures: {},
      hashes: {},
      type: 'X',
      content: {},
      prev_events: [],
      auth_events: [],
      depth: 3,
      unsigned: { age_ts: 1000000 },
    },
    sha256: '5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos',
    signature: 'KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg',
  },
  {
    name: 'event with redactable content',
    pdu: {
      content: { body: 'Here is the message content' },
      event_id: '$0:domain',
      origin: 'domain',
      origin_server_ts: 1000000,
      type: 'm.room.message',
      room_id: '!r:domain',
      sender: '@u:domain',
      signatures: {},
      unsigned: { age_ts: 1000000 },
    },
    sha256: 'onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g',
    signature: 'Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA',
  },
];

test.for(events)('the published hash and signature of the $name', ({ pdu, sha256, signature }) => {
  expect(contentHash(pdu)).toBe(sha256);
  const hashed = { ...pdu, hashes: { sha256 } };
  expect(hasValidContentHash(hashed)).toBe(true);
  // The examples keep `origin`, as the redaction of versions before 11 does.
  const finished = signEvent(hashed, rulesOf('10'), domain, key);
  expect(finished).toEqual({ ...hashed, signatures: { domain: { 'ed25519:1': signature } } });
});

test('what is signed verifies; with a changed member or signature it does not; unsigned may change', () => {
  fc.assert(
    fc.property(jsonObjects(), fc.nat(63), (object, at) => {
      const good = signJson(object, domain, key);
      const check = (other: JsonObject) => verifyJson(other, 'domain', key.keyId, key.publicKeyBase64);
      expect(check(good)).toBe(true);
      expect(check({ ...good, unsigned: { age: 1 } })).toBe(true);
      expect(check({ ...good, added: 'x' })).toBe(false);
      const bytes = Buffer.from(signatureOf(good), 'base64');
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      expect(check({ ...good, signatures: { domain: { 'ed25519:1': bytes.toString('base64') } } })).toBe(false);
    }),
  );
});

function signatureOf(object: JsonObject): string {
  const ours = isJsonObject(object['signatures']) ? object['signatures']['domain'] : undefined;
  const signature = isJsonObject(ours) ? ours['ed25519:1'] : undefined;
  return typeof signature === 'string' ? signature : '';
}

const good = signJson({ a: 1 }, domain, key);
const unverifiable = [
  { name: 'another server', object: good, server: 'other', keyId: 'ed25519:1', publicKey: key.publicKeyBase64 },
  { name: 'another key id', object: good, server: 'domain', keyId: 'ed25519:2', publicKey: key.publicKeyBase64 },
  { name: 'a key of another length', object: good, server: 'domain', keyId: 'ed25519:1', publicKey: 'AAAA' },
  { name: 'a key of another', object: good, server: 'domain', keyId: 'ed25519:1', publicKey: 'A'.repeat(43) },
  {
    name: 'another algorithm',
    object: { a: 1, signatures: { domain: { 'rsa:1': signatureOf(good) } } },
    server: 'domain',
    keyId: 'rsa:1',
    publicKey: key.publicKeyBase64,
  },
  { name: 'an inherited name', object: good, server: 'constructor', keyId: 'name', publicKey: key.publicKeyBase64 },
  { name: 'no signatures', object: { a: 1 }, server: 'domain', keyId: 'ed25519:1', publicKey: key.publicKeyBase64 },
  {
    name: 'a fraction',
    object: { ...good, a: 0.5 },
    server: 'domain',
    keyId: 'ed25519:1',
    publicKey: key.publicKeyBase64,
  },
];

test.for(unverifiable)('a signature does not verify with $name', ({ object, server, keyId, publicKey }) => {
  expect(verifyJson(object, server, keyId, publicKey)).toBe(false);
});

test('a second signature leaves the first in place', () => {
  const other = signingKeyFromSeed('ed25519:two', new Uint8Array(32).fill(2));
  const both = signJson(good, domain, other);
  expect(verifyJson(both, 'domain', 'ed25519:1', key.publicKeyBase64)).toBe(true);
  expect(verifyJson(both, 'domain', 'ed25519:two', other.publicKeyBase64)).toBe(true);
});

test('a seed of another length is refused', () => {
  expect(() => signingKeyFromSeed('ed25519:1', new Uint8Array(31))).toThrow(RangeError);
});

test.for(ALL_RULES)('version $version: an event finished in one pass is what the single steps make of it', (rules) => {
  fc.assert(
    fc.property(unsignedPdus(rules), (pdu) => {
      const { json, event, reference } = finishPdu(pdu, rules, domain, key);
      const hashed = { ...pdu, hashes: { sha256: contentHash(pdu) } };
      const stepwise = signEvent(hashed, rules, domain, key);
      expect(json).toBe(canonicalJson(stepwise));
      expect(parsePdu(stepwise, rules)).toEqual({ ok: true, event, json });
      expect(event.eventId).toBe(carriesEventId(rules) ? pdu.event_id : eventIdOf(stepwise, rules));
      expect(reference).toEqual(referenceTo(stepwise, event.eventId, rules));
      expect(verifyJson(redact(stepwise, rules), 'domain', key.keyId, key.publicKeyBase64)).toBe(true);
    }),
  );
});

const roomless: UnsignedPdu = {
  type: 'm.room.message',
  sender: userId('@u:domain'),
  content: { body: 'x' },
  depth: 1,
  origin_server_ts: 1,
  prev_events: [eventId('$p')],
  auth_events: [],
};
const message: UnsignedPdu = { ...roomless, room_id: roomId('!r:domain') };

/** An event of exactly that many bytes, or the refusal. */
function withBytes(bytes: number): string {
  const empty = finishPdu({ ...message, content: { body: '' } }, rulesOf('12'), domain, key).json;
  return finishPdu({ ...message, content: { body: 'x'.repeat(bytes - empty.length) } }, rulesOf('12'), domain, key)
    .json;
}

test('an event of 65,536 bytes is made, one of 65,537 refused', () => {
  expect(withBytes(65_536)).toHaveLength(65_536);
  expect(() => withBytes(65_537)).toThrow(expect.objectContaining({ name: 'EventFormatError', code: 'too_large' }));
});

test('a create event of version 12 with a room id is not even made', () => {
  const create = { ...message, type: 'm.room.create', state_key: '' };
  expect(() => finishPdu(create, rulesOf('12'), domain, key)).toThrow(EventFormatError);
});

test('a create event of version 12 names its room by its own id', () => {
  const { event } = finishPdu({ ...roomless, type: 'm.room.create', state_key: '' }, rulesOf('12'), domain, key);
  expect(event.roomId).toBe(`!${event.eventId.slice(1)}`);
  const read = parseStrictJson(finishPdu({ ...message, room_id: event.roomId }, rulesOf('12'), domain, key).json);
  expect(read).toMatchObject({ ok: true, value: { room_id: event.roomId } });
});

test('an event of version 1 without an id is not even made', () => {
  expect(() => finishPdu(message, rulesOf('1'), domain, key)).toThrow(EventFormatError);
});

const signers: { name: string; event: Told; version?: string; servers: string[] }[] = [
  {
    name: 'a message with an id that another server gave it',
    event: { type: 'm.room.message', sender: '@a:two', eventId: '$x:one' },
    version: '2',
    servers: ['two', 'one'],
  },
  {
    name: 'a join with a voucher before there were any',
    event: {
      type: 'm.room.member',
      sender: '@a:two',
      stateKey: '@a:two',
      content: { membership: 'join', join_authorised_via_users_server: '@v:one' },
    },
    version: '7',
    servers: ['two'],
  },
  { name: 'a message', event: { type: 'm.room.message', sender: '@a:two' }, servers: ['two'] },
  {
    name: 'a join that another server vouches for',
    event: {
      type: 'm.room.member',
      sender: '@a:two',
      stateKey: '@a:two',
      content: { membership: 'join', join_authorised_via_users_server: '@v:one' },
    },
    servers: ['two', 'one'],
  },
  {
    name: 'an invite that redeems a third-party invite',
    event: {
      type: 'm.room.member',
      sender: '@a:two',
      stateKey: '@b:one',
      content: { membership: 'invite', third_party_invite: {} },
    },
    servers: [],
  },
];

test.for(signers)('$name needs the signature of $servers', ({ event, servers, version }) => {
  const rules = rulesOf(version ?? '11');
  expect(requiredSigners(tell(event, rules), rules)).toEqual(servers);
});

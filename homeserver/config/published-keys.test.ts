import { expect, test } from 'vitest';
import * as z from 'zod';
import { generateKey, generateKeyring } from './generate-key.ts';
import { type KeySet, parseKeyring } from './parse-keyring.ts';
import { verifyJson } from '../room/event-signature.ts';
import { KeyResponse, type PublishedKeyring } from '../http/server-server/key-response.ts';

const HOUR = 3_600_000;
const Answer = z.record(z.string(), z.json());
const Times = z.looseObject({ valid_until_ts: z.int() });

function keyringOf(current: { keys: KeySet }): PublishedKeyring {
  return {
    get serverName() {
      return current.keys.serverName;
    },
    get generation() {
      return current.keys.generation;
    },
    validitySeconds: 86_400,
    active: () => current.keys.active,
    signing: () => current.keys.signing,
    verifyKeys: () => current.keys.verify,
    oldKeys: () => current.keys.old,
    onChange: () => () => undefined,
    close: () => undefined,
  };
}

const file = generateKeyring('example.org', 86_400);
const keys = (changes: object = {}) =>
  parseKeyring(JSON.stringify({ ...file, ...changes }), 'keyring.json', 'example.org');

test('the answer is signed by every current key and names old ones with their end', () => {
  const published = { ...generateKey(), state: 'published' };
  const { keyId, publicKey } = generateKey();
  const old = { keyId, publicKey };
  const current = { keys: keys({ keys: [...file.keys, published], oldKeys: [{ ...old, expiredTs: 1000 }] }) };
  const answer = Answer.parse(JSON.parse(new KeyResponse(keyringOf(current), () => 0).text()));
  expect(answer['old_verify_keys']).toEqual({ [old.keyId]: { key: old.publicKey, expired_ts: 1000 } });
  expect(current.keys.signing).toHaveLength(2);
  for (const { keyId, publicKeyBase64 } of current.keys.signing) {
    expect(answer['verify_keys']).toHaveProperty([keyId], { key: publicKeyBase64 });
    expect(verifyJson(answer, current.keys.serverName, keyId, publicKeyBase64)).toBe(true);
  }
});

test('the answer is kept until half of its time is left, then made again', () => {
  const clock = { now: 0 };
  const response = new KeyResponse(keyringOf({ keys: keys() }), () => clock.now);
  const validUntil = () => Times.parse(JSON.parse(response.text())).valid_until_ts;
  expect(validUntil()).toBe(24 * HOUR);
  clock.now = 12 * HOUR;
  expect(validUntil()).toBe(24 * HOUR);
  clock.now += 1;
  expect(validUntil()).toBe(36 * HOUR + 1);
});

test('a new generation is answered at once', () => {
  const current = { keys: keys() };
  const response = new KeyResponse(keyringOf(current), () => 0);
  const before = response.text();
  current.keys = keys({ generation: 2, keys: [{ ...generateKey() }] });
  expect(response.text()).not.toBe(before);
  expect(response.text()).toContain(current.keys.active.keyId);
});

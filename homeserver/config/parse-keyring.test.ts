import { expect, test } from 'vitest';
import type { KeyringFile } from '../contract/keyring-file.ts';
import { generateKey, generateKeyring, keyIdFor } from './generate-key.ts';
import { KeyringError, parseKeyring } from './parse-keyring.ts';

const good = generateKeyring('example.org', 86_400);
const second = { ...generateKey(), state: 'published' } as const;
const [first] = good.keys;
if (first === undefined) throw new Error('no key was generated');

const parse = (file: unknown) => parseKeyring(JSON.stringify(file), 'keyring.json', 'example.org');

test('a generated keyring can be used, the active key first', () => {
  const keys = parse({ ...good, keys: [second, first] } satisfies KeyringFile);
  expect(keys.active.keyId).toBe(first.keyId);
  expect(keys.verify.map((key) => key.keyId)).toEqual([first.keyId, second.keyId]);
});

// Computed apart from the program: base32 of SHA-256 of 32 zero bytes.
test('a key id is the start of the base32 form of the public key hash', () => {
  expect(keyIdFor(Buffer.alloc(32).toString('base64'))).toBe('ed25519:mzuhvlpymk');
});

const bad = [
  { name: 'another server name', file: { ...good, serverName: 'other.org' }, says: /belongs to other\.org/ },
  {
    name: 'a private half of another key',
    file: { ...good, keys: [{ ...first, seed: second.seed }] },
    says: /private half of ed25519:\w+ does not fit/,
  },
  { name: 'no active key', file: { ...good, keys: [second] }, says: /exactly one key must be active, 0 are/ },
  {
    name: 'two active keys',
    file: { ...good, keys: [first, { ...second, state: 'active' }] },
    says: /exactly one key must be active, 2 are/,
  },
  {
    name: 'one id twice',
    file: { ...good, keys: [first, { ...first, state: 'published' }] },
    says: /stands in it twice/,
  },
  { name: 'an unknown member', file: { ...good, extra: 1 }, says: /extra/ },
  { name: 'no keys', file: { ...good, keys: [] }, says: /^keyring\.json cannot be used: keys: / },
];

test.for(bad)('a keyring with $name is refused', ({ file, says }) => {
  expect(() => parse(file)).toThrow(KeyringError);
  expect(() => parse(file)).toThrow(says);
});

test('no refusal says anything of a private half', () => {
  const messages = bad.map(({ file }) => {
    try {
      return parse(file).active.keyId;
    } catch (error) {
      return String(error);
    }
  });
  for (const message of messages) expect(message).not.toContain((first.seed ?? '-').slice(0, 10));
});

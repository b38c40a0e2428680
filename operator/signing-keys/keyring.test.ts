import { expect, test } from 'vitest';
import { generateSigningKey } from './generate.ts';
import { contentText, keyringContent } from './keyring-content.ts';
import type { LedgerRow } from './keyring-content.ts';
import { buildKeyring, readKeyring } from './keyring.ts';

const key = generateSigningKey();
const server = { serverName: 'example.org', validitySeconds: 86_400 };
const row = (over: Partial<LedgerRow>): LedgerRow => ({
  name: 'k1',
  keyId: key.keyId,
  publicKey: key.publicKey,
  state: 'Active',
  since: 0,
  visibleSince: undefined,
  isDestroyed: false,
  expiredTs: undefined,
  ...over,
});
const content = keyringContent(server, [row({})]);

test('what is built is read, and every private half fits', () => {
  expect(readKeyring(buildKeyring(content, 3, [key]))).toEqual({
    generation: 3,
    content: contentText(content),
    keys: [key],
    states: new Map([[key.publicKey, 'Active']]),
    sound: true,
  });
});

test('each state has its place: staged keys nowhere, expired ones among the old', () => {
  const states = (['Staged', 'Published', 'Active', 'Retiring', 'Retired', 'Revoked'] as const).map((state, i) =>
    row({
      name: state,
      keyId: `ed25519:${i}`,
      state,
      expiredTs: state === 'Retired' || state === 'Revoked' ? i : undefined,
    }),
  );
  const { keys, oldKeys } = keyringContent(server, states);
  expect(keys.map(({ keyId, state }) => [keyId, state])).toEqual([
    ['ed25519:1', 'published'],
    ['ed25519:2', 'active'],
    ['ed25519:3', 'retiring'],
  ]);
  expect(oldKeys.map(({ keyId, expiredTs }) => [keyId, expiredTs])).toEqual([
    ['ed25519:4', 4],
    ['ed25519:5', 5],
  ]);
});

test('the order of the ledger does not change the content', () => {
  const rows = [row({ keyId: 'ed25519:b' }), row({ keyId: 'ed25519:a' })];
  expect(contentText(keyringContent(server, rows))).toBe(contentText(keyringContent(server, rows.toReversed())));
});

test('the decided content holds no private half', () => {
  expect(contentText(content)).not.toContain(key.seed);
});

test('a keyring without the private half of a key is not built', () => {
  expect(() => buildKeyring(content, 1, [generateSigningKey()])).toThrow(
    expect.objectContaining({ reason: 'KeyLost' }),
  );
});

test('only a retiring key may lack its private half: it is published and signs nothing', () => {
  const gone = generateSigningKey();
  const retiring = row({ keyId: gone.keyId, publicKey: gone.publicKey, state: 'Retiring' });
  const text = buildKeyring(keyringContent(server, [row({}), retiring]), 1, [key]);
  expect(readKeyring(text)).toMatchObject({ keys: [key], sound: true });
  expect(text).toContain(gone.publicKey);
});

test('a keyring with an edited private half is not sound', () => {
  const text = buildKeyring(content, 1, [key]).replace(key.seed, generateSigningKey().seed);
  expect(readKeyring(text)).toMatchObject({ keys: [], sound: false });
});

test.for([undefined, '', '{', '{"format": 2}', '[]'])('what is no keyring is none: %j', (text) => {
  expect(readKeyring(text)).toBeUndefined();
});

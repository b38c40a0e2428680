import { createHash, createPublicKey, sign, verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { decodeKeyBytes, generateSigningKey, isWeakSeed, keyIdOf, signingKeyOf } from './generate.ts';

test('the public key of the first example in RFC 8032 comes out', () => {
  const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
  const key = signingKeyOf(seed);
  const publicKey = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');
  expect(decodeKeyBytes(key.publicKey)).toEqual(publicKey);
  expect(decodeKeyBytes(key.seed)).toEqual(seed);
});

test('a generated key signs what its public half verifies', () => {
  const { seed, publicKey } = generateSigningKey();
  const bytes = decodeKeyBytes(publicKey) ?? Buffer.alloc(0);
  const pkcs8 = Buffer.concat([
    Buffer.from('302e020100300506032b657004220420', 'hex'),
    decodeKeyBytes(seed) ?? Buffer.alloc(0),
  ]);
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), bytes]);
  const signature = sign(null, Buffer.from('text'), { key: pkcs8, format: 'der', type: 'pkcs8' });
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  expect(verify(null, Buffer.from('text'), key, signature)).toBe(true);
});

test('the id is the first ten letters of the base32 of SHA-256', () => {
  const publicKey = Buffer.alloc(32, 7);
  const bits = BigInt(`0x${createHash('sha256').update(publicKey).digest('hex')}`) >> (256n - 50n);
  const letters = Array.from(
    { length: 10 },
    (_, i) => 'abcdefghijklmnopqrstuvwxyz234567'[Number((bits >> BigInt(45 - 5 * i)) & 31n)],
  );
  expect(keyIdOf(publicKey)).toBe(`ed25519:${letters.join('')}`);
});

test('two generated keys differ in everything', () => {
  const [a, b] = [generateSigningKey(), generateSigningKey()];
  expect(new Set([a.seed, b.seed, a.publicKey, b.publicKey, a.keyId, b.keyId]).size).toBe(6);
});

test.for([
  { name: 'zeros', seed: Buffer.alloc(32), weak: true },
  { name: 'one repeated byte', seed: Buffer.alloc(32, 0xff), weak: true },
  { name: 'a small number', seed: Buffer.concat([Buffer.alloc(28), Buffer.from([1, 2, 3, 4])]), weak: true },
  { name: 'a text hash', seed: createHash('sha256').update('x').digest(), weak: false },
])('a seed of $name: weak is $weak', ({ seed, weak }) => {
  expect(isWeakSeed(seed)).toBe(weak);
});

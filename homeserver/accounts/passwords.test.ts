import { expect, test } from 'vitest';
import { hashPassword, verifyPassword } from './passwords.ts';

test('the right password fits its hash, another does not, and a hash says how it was made', async () => {
  const hash = await hashPassword('correct horse');
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=12288,t=3,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(await verifyPassword('correct horse', hash)).toBe(true);
  expect(await verifyPassword('Correct horse', hash)).toBe(false);
});

test('the same password never has the same hash', async () => {
  expect(await hashPassword('correct horse')).not.toBe(await hashPassword('correct horse'));
});

test.for([null, undefined])('no password fits %s', async (stored) => {
  expect(await verifyPassword('', stored)).toBe(false);
});

// Published by the reference implementation: argon2id, v19, 2^16 KiB, 2 passes, 1 lane, "password" with salt "somesalt".
test('a hash made elsewhere with other parameters is checked with those', async () => {
  const hash = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
  expect(await verifyPassword('password', hash)).toBe(true);
  expect(await verifyPassword('passwort', hash)).toBe(false);
});

test('a stored text in an unknown format is a fault, not a wrong password', async () => {
  await expect(verifyPassword('x', 'plain')).rejects.toThrow(/PHC/);
});

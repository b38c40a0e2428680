import { expect, test } from 'vitest';
import { generateSigningKey } from './generate.ts';
import { readSigningKeyFile } from './signing-key-file.ts';

const key = generateSigningKey();

test.for([
  { name: 'as Synapse writes it', text: `ed25519 a_AbCd ${key.seed}\n` },
  { name: 'with padding', text: `ed25519 a_AbCd ${key.seed}=` },
  {
    name: 'with blank lines, comments and another line end',
    text: `# made 2019\r\n\r\ned25519\ta_AbCd ${key.seed}\r\n`,
  },
])('a signing key file $name is read and keeps its id', ({ text }) => {
  expect(readSigningKeyFile(text)).toEqual({ ...key, keyId: 'ed25519:a_AbCd' });
});

test.for([
  { name: 'an empty file', text: '\n', says: /empty/ },
  { name: 'two keys', text: `ed25519 a ${key.seed}\ned25519 b ${key.seed}`, says: /more than one/ },
  { name: 'another algorithm', text: `rsa a ${key.seed}`, says: /ed25519 </ },
  { name: 'an id with a dash', text: `ed25519 a-b ${key.seed}`, says: /ed25519 </ },
  { name: 'a short seed', text: 'ed25519 a AAAA', says: /32 bytes/ },
  { name: 'a seed of zeros', text: `ed25519 a ${'A'.repeat(43)}`, says: /not random/ },
  { name: 'a tiny seed', text: `ed25519 a ${'A'.repeat(41)}Bg`, says: /not random/ },
  { name: 'a whole archive', text: 'x'.repeat(5000), says: /larger/ },
])('$name is refused as WeakKey, without its bytes', ({ text, says }) => {
  const found = readSigningKeyFile(text);
  expect(found).toEqual({ unreadable: expect.stringMatching(says) as string, reason: 'WeakKey' });
  expect(JSON.stringify(found)).not.toContain(key.seed);
});

import { expect, test } from 'vitest';
import { judge, outsideOf, sortKeys } from './finding.ts';

const key = (keyId: string, publicKey = keyId) => ({ keyId, publicKey });
const own = [
  { ...key('ed25519:a'), isActive: true },
  { ...key('ed25519:b'), isActive: false },
];

test.for([
  { name: 'the active key alone matches', seen: [key('ed25519:a')], wanted: 'KeysMatch' },
  { name: 'a published key beside it matches', seen: [key('ed25519:a'), key('ed25519:b')], wanted: 'KeysMatch' },
  { name: 'without the active key nothing is verified', seen: [key('ed25519:b')], wanted: 'KeyNotVisible' },
  { name: 'a key of somebody else is foreign', seen: [key('ed25519:a'), key('ed25519:c')], wanted: 'ForeignKeys' },
  { name: 'our id over other bytes is foreign', seen: [key('ed25519:a', 'other')], wanted: 'ForeignKeys' },
])('$name', ({ seen, wanted }) => {
  expect(judge(seen, own)).toBe(wanted);
});

test('before the first key whatever answers is foreign', () => {
  expect(judge([key('ed25519:a')], [])).toBe('ForeignKeys');
});

test('the order in which a server lists its keys makes no difference', () => {
  const sorted = [key('ed25519:a'), key('ed25519:b')];
  expect(sortKeys(sorted.toReversed())).toEqual(sorted);
});

test('the key state machine gets the ids of a valid answer, whatever they are, or that there was none', () => {
  const seen = [key('ed25519:x')];
  expect(outsideOf({ kind: 'ForeignKeys', vantage: 'Direct', seen })).toEqual({ keyIds: ['ed25519:x'] });
  expect(outsideOf({ kind: 'BadSignature', vantage: 'Direct' })).toBe('unreachable');
});

import { expect, test } from 'vitest';
import { scramVerifier } from './scram.ts';

test('the verifier of the example in RFC 7677 has its keys', () => {
  expect(scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'))).toBe(
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  );
});

test('two verifiers of one password differ by their salt', () => {
  expect(scramVerifier('pencil')).not.toBe(scramVerifier('pencil'));
});

test.for(['', 'käse', 'a\nb'])('a password that would need SASLprep is refused: %j', (password) => {
  expect(() => scramVerifier(password)).toThrow(RangeError);
});

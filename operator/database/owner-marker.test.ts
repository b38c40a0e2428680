import { expect, test } from 'vitest';
import { formatMarker, parseMarker } from './owner-marker.ts';

const claim = '00000000-1111-4222-8333-444444444444';

test('what is written is read', () => {
  const marker = { claim, serverName: '[2001:db8::1]:8448' };
  expect(parseMarker(formatMarker(marker))).toEqual(marker);
});

test.for([
  null,
  undefined,
  '',
  'somebody else',
  `matrix-operator/2 claim=${claim}`,
  `matrix-operator/1 claim=${claim} server=a b`,
])('another comment is no marker: %j', (comment) => {
  expect(parseMarker(comment)).toBeUndefined();
});

test('a marker without a server name still names the claim', () => {
  expect(parseMarker(`matrix-operator/1 claim=${claim}`)).toEqual({ claim, serverName: undefined });
});

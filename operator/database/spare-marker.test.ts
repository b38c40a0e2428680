import { expect, test } from 'vitest';
import { formatMarker, parseMarker } from './owner-marker.ts';
import { formatSpareMarker, parseSpareMarker } from './spare-marker.ts';

const marker = { claim: '00000000-1111-4222-8333-444444444444', drill: '99999999-1111-4222-8333-444444444444' };

test('a spare database is told from the one of a server by its mark', () => {
  expect(parseSpareMarker(formatSpareMarker(marker))).toEqual(marker);
  expect(parseMarker(formatSpareMarker(marker))).toBeUndefined();
  expect(parseSpareMarker(formatMarker({ ...marker, serverName: 'example.org' }))).toBeUndefined();
  expect(parseSpareMarker('')).toBeUndefined();
});

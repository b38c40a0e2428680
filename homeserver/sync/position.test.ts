import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  comparePoints,
  formatPoint,
  formatSyncToken,
  parsePoint,
  parseSyncToken,
  pointAt,
  pointBefore,
} from './position.ts';

const position = fc.nat({ max: Number.MAX_SAFE_INTEGER });

test('a sync token reads back as it was written', () => {
  const mark = fc.record({ replica: fc.nat(2_000_000_000), serial: position });
  const marks = fc.array(mark, { minLength: 1, maxLength: 8 });
  const tokens = fc.record({ position, began: position, marks, presence: position }, { requiredKeys: ['position'] });
  fc.assert(
    fc.property(tokens, (token) => {
      expect(parseSyncToken(formatSyncToken(token))).toEqual(token);
      expect(parsePoint(formatSyncToken(token))).toEqual(pointAt(token.position));
    }),
  );
});

test('a point of a timeline reads back as it was written', () => {
  fc.assert(
    fc.property(fc.record({ anchor: position, position: fc.maxSafeInteger() }), (point) => {
      expect(parsePoint(formatPoint(point))).toEqual(point);
    }),
  );
});

test.for(['', 's', 's-1', 'x1', 's1.5', 's99999999999999999', 'p1_', "s1'; drop", 's1 '])(
  'no token of ours: %s',
  (text) => {
    expect(parseSyncToken(text)).toBeUndefined();
    expect(parsePoint(text)).toBeUndefined();
  },
);

test('history that hangs on an event lies before the event and after the one before it', () => {
  const history = { anchor: 7, position: -3 };
  expect(comparePoints(history, pointAt(6))).toBeGreaterThan(0);
  expect(comparePoints(history, pointAt(7))).toBeLessThan(0);
  expect(comparePoints(history, pointBefore(pointAt(7)))).toBeLessThan(0);
});

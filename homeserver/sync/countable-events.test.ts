import { expect, test } from 'vitest';
import { EVENT_FLAGS } from '../storage/batch-arrays.ts';
import { CountableEvents, indexAfter } from './countable-events.ts';

const [ALICE, BOB, MESSAGE, TOPIC] = [1, 2, 10, 11];
const events = new CountableEvents([
  [101, 5, ALICE, MESSAGE, 0, 'main', false],
  [102, 6, BOB, MESSAGE, 0, 'main', false],
  [103, 7, ALICE, MESSAGE, 0, '$root', false],
  [104, 8, ALICE, MESSAGE, 0, 'main', true],
  [105, 9, ALICE, TOPIC, EVENT_FLAGS.state, 'main', false],
  [106, 12, ALICE, MESSAGE, 0, 'main', false],
]);

test('events are sorted by sender, type, flags and thread, without those that are redacted', () => {
  const kind = { senderNo: ALICE, typeNo: MESSAGE, flags: 0 };
  expect(events.kinds).toHaveLength(4);
  expect(events.kinds).toContainEqual({ ...kind, thread: 'main', anchors: [5, 12], eventNos: [101, 106] });
  expect(events.kinds).toContainEqual({ ...kind, thread: '$root', anchors: [7], eventNos: [103] });
  expect(events.kinds).toContainEqual({ ...kind, senderNo: BOB, thread: 'main', anchors: [6], eventNos: [102] });
});

test('what somebody has written counts although it is redacted, what they have set does not', () => {
  expect(events.writtenBy(BOB)).toEqual(new Map([['main', 6]]));
  expect(new CountableEvents([[104, 8, ALICE, MESSAGE, 0, 'main', true]]).writtenBy(ALICE).get('main')).toBe(8);
  expect(new CountableEvents([[105, 9, ALICE, TOPIC, EVENT_FLAGS.state, 'main', false]]).writtenBy(ALICE).size).toBe(0);
});

test('all events after an anchor are counted, and the newest of a type is known', () => {
  expect([0, 5, 8, 12].map((anchor) => events.countAfter(anchor))).toEqual([6, 5, 2, 0]);
  expect([events.hasAfter(TOPIC, 8), events.hasAfter(TOPIC, 9), events.hasAfter(99, 0)]).toEqual([true, false, false]);
  expect([4, 5, 6, 12].map((anchor) => indexAfter([5, 12], anchor))).toEqual([0, 1, 1, 2]);
});

import { expect, test } from 'vitest';
import { eventId } from '../../test/support/room-story.ts';
import { MAX_TIPS, nextTips } from './extremities.ts';
import type { Tip } from './room-head.ts';

function tip(name: string, stateAfter: number, eventNo = stateAfter): Tip {
  return { eventNo, eventId: eventId(`$${name}`), reference: eventId(`$${name}`), depth: 1, stateAfter };
}

const ids = (tips: readonly Tip[]) => tips.map((one) => one.eventId.slice(1));

test('an event takes the place of what it stands after, and leaves other branches', () => {
  const { tips, gone } = nextTips([tip('a', 1), tip('b', 2)], tip('c', 3), new Set([eventId('$a')]));
  expect([ids(tips), gone]).toEqual([['b', 'c'], [1]]);
});

const full = Array.from({ length: MAX_TIPS }, (_, at) => tip(`t${at}`, at + 1));

test('where there are too many, one goes whose state another has as well', () => {
  const { tips, gone } = nextTips(full, tip('new', 4, 99), new Set());
  expect(ids(tips)).toEqual([...ids(full).filter((id) => id !== 't3'), 'new']);
  expect(gone).toEqual([4]);
});

test('where each has a state of its own, none is given up for a new branch', () => {
  expect(nextTips(full, tip('new', 99), new Set())).toEqual({ tips: full, gone: [] });
});

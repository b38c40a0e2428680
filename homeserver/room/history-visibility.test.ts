import { expect, test } from 'vitest';
import { historyVisibilityOf, mayReadAt, mayReadChange } from './history-visibility.ts';

const memberships = ['join', 'invite', 'knock', 'leave', 'ban', undefined];

/** Memberships at the event that let a user read it, without and with a later join. */
const readable = [
  { visibility: 'world_readable', without: memberships, later: memberships },
  { visibility: 'shared', without: ['join'], later: memberships },
  { visibility: 'invited', without: ['join', 'invite'], later: ['join', 'invite'] },
  { visibility: 'joined', without: ['join'], later: ['join'] },
] as const;

test.for(readable)(
  '$visibility: read by $without, and after a later join by $later',
  ({ visibility, without, later }) => {
    expect(memberships.filter((membership) => mayReadAt({ visibility, membership }, false))).toEqual(without);
    expect(memberships.filter((membership) => mayReadAt({ visibility, membership }, true))).toEqual(later);
  },
);

test.for([
  [undefined, 'shared'],
  [{}, 'shared'],
  [{ history_visibility: 'secret' }, 'shared'],
  [{ history_visibility: 1 }, 'shared'],
  [{ history_visibility: 'joined' }, 'joined'],
] as const)('the content %j means %s', ([content, visibility]) => {
  expect(historyVisibilityOf(content)).toBe(visibility);
});

test('a change is read by those who may read before or after it', () => {
  const open = { visibility: 'world_readable', membership: undefined } as const;
  const closed = { visibility: 'joined', membership: undefined } as const;
  expect(mayReadChange(open, closed, false)).toBe(true);
  expect(mayReadChange(closed, open, false)).toBe(true);
  expect(mayReadChange(closed, closed, false)).toBe(false);
  expect(mayReadChange({ ...closed, membership: 'join' }, { ...closed, membership: 'leave' }, false)).toBe(true);
});

import { expect, test } from 'vitest';
import { keyTransitions } from './key-transitions.ts';

const key = (name: string, state: string, since?: string) => ({
  name,
  state,
  ...(since === undefined ? {} : { since }),
});

test('a transition is as long as the state before it was', () => {
  const before = {
    signingKeys: [key('k1', 'Active', '2026-11-01T00:00:00Z'), key('k2', 'Published', '2026-11-01T00:00:00Z')],
  };
  const next = {
    signingKeys: [
      key('k1', 'Retiring', '2026-11-01T12:05:00Z'),
      key('k2', 'Active', '2026-11-01T12:05:00Z'),
      key('k3', 'Staged', '2026-11-01T12:05:00Z'),
    ],
  };
  expect(keyTransitions(before, next)).toEqual([
    { to: 'Retiring', seconds: 43_500 },
    { to: 'Active', seconds: 43_500 },
  ]);
});

test('what stays, is new, or has no time is none', () => {
  const one = { signingKeys: [key('k1', 'Active', '2026-11-01T00:00:00Z')] };
  expect(keyTransitions(one, one)).toEqual([]);
  expect(keyTransitions({}, one)).toEqual([]);
  expect(keyTransitions(one, {})).toEqual([]);
  expect(keyTransitions({ signingKeys: [key('k1', 'Published')] }, one)).toEqual([]);
});

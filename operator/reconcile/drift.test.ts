import { expect, test } from 'vitest';
import { createDrift } from './drift.ts';

const KEY = 'chat/chat';
const SERVICE = 'Service chat';
const MINUTE = 60_000;

function begin() {
  const clock = { now: 0 };
  const drift = createDrift(() => clock.now);
  drift.wrote(KEY, SERVICE, 'one');
  /** As a run does it: what is not held is written. */
  const undo = (wanted = 'one') => {
    const verdict = drift.judge(KEY, SERVICE, wanted);
    if (verdict !== 'held') drift.wrote(KEY, SERVICE, wanted);
    return verdict;
  };
  return { clock, drift, undo };
}

test('what was never written, or is wanted otherwise now, is no drift', () => {
  const { drift, undo } = begin();
  expect(drift.judge(KEY, 'Deployment chat', 'one')).toBe('news');
  expect(drift.judge('other/chat', SERVICE, 'one')).toBe('news');
  expect(undo('two')).toBe('news');
  expect(undo('two')).toBe('repair');
});

test('the fifth repair in ten minutes is the last at once; then one comes every five minutes', () => {
  const { clock, drift, undo } = begin();
  const said = Array.from({ length: 5 }, () => {
    clock.now += MINUTE;
    return undo();
  });
  expect(said).toEqual(['repair', 'repair', 'repair', 'repair', 'last repair']);
  for (let round = 0; round < 4; round += 1) {
    expect(undo()).toBe('held');
    expect(drift.dueAfterMs(KEY)).toBe(5 * MINUTE);
    clock.now += 5 * MINUTE - 1;
    expect(undo()).toBe('held');
    expect(drift.dueAfterMs(KEY)).toBe(1);
    clock.now += 1;
    expect(drift.dueAfterMs(KEY)).toBeUndefined();
    expect(undo()).toBe('repair');
  }
});

test('who leaves it alone for ten minutes is forgiven', () => {
  const { clock, undo } = begin();
  for (let time = 0; time < 5; time += 1) undo();
  expect(undo()).toBe('held');
  clock.now += 10 * MINUTE;
  expect([undo(), undo()]).toEqual(['repair', 'repair']);
});

test('five repairs in a longer time are no quarrel', () => {
  const { clock, undo } = begin();
  const said = Array.from({ length: 12 }, () => {
    clock.now += 3 * MINUTE;
    return undo();
  });
  expect(new Set(said)).toEqual(new Set(['repair']));
});

test('a change of the spec is written at once, whatever was held', () => {
  const { drift, undo } = begin();
  for (let time = 0; time < 5; time += 1) undo();
  expect(undo()).toBe('held');
  expect(undo('two')).toBe('news');
  expect(drift.dueAfterMs(KEY)).toBeUndefined();
});

test('what we have deleted ourselves is no drift when it is wanted again', () => {
  const { drift } = begin();
  drift.forget(KEY, SERVICE);
  expect(drift.judge(KEY, SERVICE, 'one')).toBe('news');
  drift.wrote(KEY, SERVICE, 'one');
  drift.forget(KEY);
  expect(drift.judge(KEY, SERVICE, 'one')).toBe('news');
});

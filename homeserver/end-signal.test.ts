import { expect, test } from 'vitest';
import { EndSignal } from './end-signal.ts';

test('each listener is told once, unless it went before', () => {
  const signal = new EndSignal();
  const told: string[] = [];
  signal.onEnd(() => told.push('first'));
  const remove = signal.onEnd(() => told.push('gone'));
  signal.onEnd(() => told.push('last'));
  remove();
  expect(signal.isOver).toBe(false);
  signal.end();
  signal.end();
  expect(signal.isOver).toBe(true);
  expect(told).toEqual(['first', 'last']);
});

test('who comes after the end has to ask', () => {
  const signal = new EndSignal();
  signal.end();
  let told = false;
  signal.onEnd(() => {
    told = true;
  })();
  expect([told, signal.isOver]).toEqual([false, true]);
});

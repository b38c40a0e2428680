import { expect, test } from 'vitest';
import { ConcurrencyGate } from './concurrency-gate.ts';

test('no more than allowed run at once, the others in order, and one too many is refused', async () => {
  const gate = new ConcurrencyGate(2, 3);
  const order: number[] = [];
  const doors = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const runs = doors.map((door, i) =>
    gate.run(async () => {
      order.push(i);
      await door.promise;
    }),
  );
  expect(order).toEqual([0, 1]);
  await expect(gate.run(() => Promise.resolve())).rejects.toMatchObject({ code: 'M_LIMIT_EXCEEDED' });
  doors[1]?.resolve();
  await expect.poll(() => order).toEqual([0, 1, 2]);
  for (const door of doors) door.resolve();
  await Promise.all(runs);
  expect(order).toEqual([0, 1, 2, 3, 4]);
});

test('work that fails gives its place back', async () => {
  const gate = new ConcurrencyGate(1, 0);
  await expect(gate.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await gate.run(() => Promise.resolve('yes'))).toBe('yes');
});

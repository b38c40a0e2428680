import { expect, test } from 'vitest';
import { createSessionSlots } from './session-slots.ts';

const limits = { perServer: 2, total: 3, waitMs: 20_000, suspectMs: 1000 };

/** Work that runs until it is told to end. */
function held() {
  const { promise, resolve } = Promise.withResolvers<void>();
  let running = false;
  const work = () => {
    running = true;
    return promise;
  };
  return { work, end: resolve, isRunning: () => running };
}

test('one server gets its share, another is served meanwhile, and a free place goes to who waited first', async () => {
  const slots = createSessionSlots(limits);
  const [first, second, third, other, fourth] = [held(), held(), held(), held(), held()];
  const ended = [
    slots.use('a', 1, first.work),
    slots.use('a', 1, second.work),
    slots.use('a', 1, third.work),
    slots.use('b', 1, other.work),
    slots.use('a', 1, fourth.work),
  ];
  await Promise.resolve();
  const running = () => [first, second, third, other, fourth].map((work) => work.isRunning());
  expect(running()).toEqual([true, true, false, true, false]);
  first.end();
  await ended[0];
  await Promise.resolve();
  expect(running()).toEqual([true, true, true, true, false]);
  for (const work of [second, third, other, fourth]) work.end();
  await Promise.all(ended);
  expect(fourth.isRunning()).toBe(true);
});

test('a failure gives the place back', async () => {
  const slots = createSessionSlots(limits);
  await expect(slots.use('a', 2, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  await expect(slots.use('a', 2, () => Promise.resolve('done'))).resolves.toBe('done');
});

test('who waits too long is told that the server is busy', async () => {
  const slots = createSessionSlots({ ...limits, waitMs: 5 });
  const busy = held();
  const running = slots.use('a', 2, busy.work);
  await expect(slots.use('a', 1, () => Promise.resolve())).rejects.toMatchObject({ reason: 'DatabaseUnreachable' });
  busy.end();
  await running;
});

test('a server that does not answer is tried by one at a time, whoever waits for it fails at once, others are served', async () => {
  let now = 0;
  const slots = createSessionSlots({ ...limits, now: () => now });
  const [first, second, waiting, other] = [held(), held(), held(), held()];
  const ended = [slots.use('a', 1, first.work), slots.use('a', 1, second.work)];
  const refused = slots.use('a', 1, waiting.work);
  slots.report('a', false);
  await expect(refused).rejects.toMatchObject({ reason: 'DatabaseUnreachable' });
  await expect(slots.use('a', 1, waiting.work)).rejects.toMatchObject({ reason: 'DatabaseUnreachable' });
  ended.push(slots.use('b', 1, other.work));
  await Promise.resolve();
  expect([waiting.isRunning(), other.isRunning()]).toEqual([false, true]);

  first.end();
  second.end();
  await Promise.all(ended.slice(0, 2));
  const probe = held();
  ended.push(slots.use('a', 1, probe.work));
  await expect(slots.use('a', 1, waiting.work)).rejects.toMatchObject({ reason: 'DatabaseUnreachable' });
  slots.report('a', true);
  ended.push(slots.use('a', 1, waiting.work));
  await Promise.resolve();
  expect([probe.isRunning(), waiting.isRunning()]).toEqual([true, true]);

  slots.report('a', false);
  now = 1001;
  const again = slots.use('a', 1, () => Promise.resolve('again'));
  for (const work of [probe, waiting, other]) work.end();
  await Promise.all(ended);
  expect(await again).toBe('again');
});

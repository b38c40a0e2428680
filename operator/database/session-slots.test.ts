import { expect, test } from 'vitest';
import { createSessionSlots } from './session-slots.ts';
import type { SessionSlots } from './session-slots.ts';

/** Lets everything go on that can. */
const tick = () => new Promise((resolve) => setImmediate(resolve));

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

async function use<T>(slots: SessionSlots, to: [string, number], work: () => Promise<T>): Promise<T> {
  const turn = await slots.take(...to);
  try {
    return await work();
  } finally {
    turn.release(to[1]);
  }
}

test('one server gets its share, another is served meanwhile, and a free place goes to who waited first', async () => {
  const slots = createSessionSlots(limits);
  const [first, second, third, other, fourth] = [held(), held(), held(), held(), held()];
  const ended = [
    use(slots, ['a', 1], first.work),
    use(slots, ['a', 1], second.work),
    use(slots, ['a', 1], third.work),
    use(slots, ['b', 1], other.work),
    use(slots, ['a', 1], fourth.work),
  ];
  await tick();
  const running = () => [first, second, third, other, fourth].map((work) => work.isRunning());
  expect(running()).toEqual([true, true, false, true, false]);
  first.end();
  await ended[0];
  await tick();
  expect(running()).toEqual([true, true, true, true, false]);
  for (const work of [second, third, other, fourth]) work.end();
  await Promise.all(ended);
  expect(fourth.isRunning()).toBe(true);
});

test('a failure gives the place back', async () => {
  const slots = createSessionSlots(limits);
  await expect(use(slots, ['a', 2], () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  await expect(use(slots, ['a', 2], () => Promise.resolve('done'))).resolves.toBe('done');
});

test('who waits too long is told that the server is busy', async () => {
  const slots = createSessionSlots({ ...limits, waitMs: 5 });
  const busy = held();
  const running = use(slots, ['a', 2], busy.work);
  await expect(use(slots, ['a', 1], () => Promise.resolve())).rejects.toMatchObject({ reason: 'DatabaseUnreachable' });
  busy.end();
  await running;
});

test('a server that does not answer is tried by one at a time, whoever waits for it fails at once, others are served', async () => {
  let now = 0;
  const slots = createSessionSlots({ ...limits, now: () => now });
  const [first, second, waiting, other] = [held(), held(), held(), held()];
  const ended = [use(slots, ['a', 1], first.work), use(slots, ['a', 1], second.work)];
  const refused = use(slots, ['a', 1], waiting.work);
  slots.report('a', false);
  await expect(refused).rejects.toMatchObject({ reason: 'DatabaseUnreachable' });
  await expect(use(slots, ['a', 1], waiting.work)).rejects.toMatchObject({ reason: 'DatabaseUnreachable' });
  ended.push(use(slots, ['b', 1], other.work));
  await tick();
  expect([waiting.isRunning(), other.isRunning()]).toEqual([false, true]);

  first.end();
  second.end();
  await Promise.all(ended.slice(0, 2));
  const probe = held();
  ended.push(use(slots, ['a', 1], probe.work));
  await expect(use(slots, ['a', 1], waiting.work)).rejects.toMatchObject({ reason: 'DatabaseUnreachable' });
  slots.report('a', true);
  ended.push(use(slots, ['a', 1], waiting.work));
  await tick();
  expect([probe.isRunning(), waiting.isRunning()]).toEqual([true, true]);

  slots.report('a', false);
  now = 1001;
  const again = use(slots, ['a', 1], () => Promise.resolve('again'));
  for (const work of [probe, waiting, other]) work.end();
  await Promise.all(ended);
  expect(await again).toBe('again');
});

test('a turn is given back in parts, and never more of it than was taken', async () => {
  const slots = createSessionSlots(limits);
  const turn = await slots.take('a', 2);
  const waiting = use(slots, ['a', 1], () => Promise.resolve('served'));
  expect(slots.isAwaited('a')).toBe(true);
  expect(slots.isAwaited('b')).toBe(false);
  turn.release(1);
  expect(await waiting).toBe('served');
  turn.release(2);
  turn.release(2);
  await Promise.all([slots.take('a', 2), slots.take('b', 1)]);
  const fourth = slots.take('c', 1);
  expect(slots.isAwaited('c')).toBe(true);
  slots.report('c', false);
  await expect(fourth).rejects.toMatchObject({ reason: 'DatabaseUnreachable' });
});

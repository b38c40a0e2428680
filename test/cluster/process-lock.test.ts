import { expect, test } from 'vitest';
import { withProcessLock } from './process-lock.ts';

test('work under one name runs one after the other', async () => {
  let running = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  await Promise.all([1, 2, 3].map(() => withProcessLock('test-one-name', 'the test', work)));
  expect(most).toBe(1);
});

test('the lock is free again after work that failed', async () => {
  const failing = withProcessLock('test-failing', 'the test', () => Promise.reject(new Error('no')));
  await expect(failing).rejects.toThrow('no');
  await expect(withProcessLock('test-failing', 'the test', () => Promise.resolve('yes'))).resolves.toBe('yes');
});

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Subject } from './check.ts';
import type { FederationChecker } from './checker.ts';
import { createFederationChecker } from './checker.ts';
import type { Finding } from './finding.ts';

const seen = [{ keyId: 'ed25519:a', publicKey: 'A' }] as const;
const good: Finding = { kind: 'KeysMatch', vantage: 'Direct', seen };
const lost: Finding = { kind: 'Timeout', vantage: 'Direct' };
const foreign: Finding = { kind: 'ForeignKeys', vantage: 'Direct', seen };
const keys = [{ ...seen[0], isActive: true }];
const subject = (serverName: string): Subject => ({ serverName, notaries: [], keys, revision: '' });

let answer: (subject: Subject, signal: AbortSignal) => Promise<Finding>;
let looks: string[];
let changes: string[];
let errors: unknown[];
let checker: FederationChecker;

beforeEach(() => {
  vi.useFakeTimers();
  [looks, changes, errors] = [[], [], []];
  answer = () => Promise.resolve(good);
  checker = createFederationChecker({
    look: (one, signal) => {
      looks.push(one.serverName);
      return answer(one, signal);
    },
    onChange: (key) => changes.push(key),
    onError: (_key, error) => errors.push(error),
    timing: { everyMs: 600_000, againMs: 30_000, soonMs: 1000 },
  });
});
afterEach(() => {
  vi.useRealTimers();
});

test('what is new is looked at soon, then every ten minutes, and is news only once', async () => {
  expect(checker.watch('a', subject('a.example'))).toBeUndefined();
  expect(looks).toEqual([]);
  await vi.advanceTimersByTimeAsync(1200);
  expect([looks.length, changes]).toEqual([1, ['a']]);
  expect(checker.watch('a', subject('a.example'))).toEqual(good);
  await vi.advanceTimersByTimeAsync(450_000);
  expect(looks).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(300_000);
  expect([looks.length, changes]).toEqual([2, ['a']]);
});

test('before there is a key the look begins at once: its making waits for it', async () => {
  checker.watch('a', { ...subject('a.example'), keys: [] });
  await vi.advanceTimersByTimeAsync(1);
  expect(looks).toEqual(['a.example']);
});

test('what was prepared is no news to somebody who asks after the look, and is to somebody who asked before', async () => {
  const first = { ...subject('a.example'), keys: [] };
  checker.prepare('early', first);
  checker.prepare('late', first);
  expect(checker.watch('early', first)).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  expect([looks.length, changes]).toEqual([2, ['early']]);
  expect(checker.watch('late', first)).toEqual(good);
});

test('a changed subject is looked at soon; until then the last finding stands', async () => {
  checker.watch('a', subject('a.example'));
  await vi.advanceTimersByTimeAsync(1200);
  answer = () => Promise.resolve(foreign);
  expect(
    checker.watch('a', { ...subject('a.example'), keys: [{ keyId: 'x', publicKey: 'X', isActive: true }] }),
  ).toEqual(good);
  await vi.advanceTimersByTimeAsync(1200);
  expect(checker.last('a')).toEqual(foreign);
  expect(changes).toEqual(['a', 'a']);
});

test('one look that comes to nothing after a good one is no news, two are', async () => {
  checker.watch('a', subject('a.example'));
  await vi.advanceTimersByTimeAsync(1200);
  answer = () => Promise.resolve(lost);
  // The longest wait for the next look, and for the one that confirms it.
  await vi.advanceTimersByTimeAsync(720_000 + 36_000);
  expect([checker.last('a'), looks.length >= 2]).toEqual([lost, true]);
  expect(changes).toEqual(['a', 'a']);
});

test('a single lost look between good ones never shows', async () => {
  checker.watch('a', subject('a.example'));
  await vi.advanceTimersByTimeAsync(1200);
  let lostOnce = false;
  answer = () => {
    const finding = lostOnce ? good : lost;
    lostOnce = true;
    return Promise.resolve(finding);
  };
  await vi.advanceTimersByTimeAsync(1_500_000);
  expect(lostOnce).toBe(true);
  expect([checker.last('a'), changes]).toEqual([good, ['a']]);
});

test('what is wrong is looked at again after half a minute, then less and less often', async () => {
  answer = () => Promise.resolve(foreign);
  checker.watch('a', subject('a.example'));
  await vi.advanceTimersByTimeAsync(1200 + 36_000);
  expect(looks).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(24 * 3_600_000);
  // 30 s doubled to 10 min: about 6 looks an hour from then on.
  expect(looks.length).toBeGreaterThan(120);
  expect(looks.length).toBeLessThan(190);
  expect(changes).toEqual(['a']);
});

test('at most eight looks run at once, and all get their turn', async () => {
  let running = 0;
  let most = 0;
  answer = async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 5000));
    running -= 1;
    return good;
  };
  for (let i = 0; i < 30; i += 1) checker.watch(`k${i}`, subject(`${i}.example`));
  await vi.advanceTimersByTimeAsync(30_000);
  expect([most, new Set(looks).size]).toEqual([8, 30]);
});

test('a forgotten key is looked at no more, and a look under way no longer counts', async () => {
  let finish: (finding: Finding) => void = () => undefined;
  answer = () => new Promise((resolve) => (finish = resolve));
  checker.watch('a', subject('a.example'));
  await vi.advanceTimersByTimeAsync(1200);
  checker.forget('a');
  finish(good);
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect([looks.length, changes, checker.last('a')]).toEqual([1, [], undefined]);
});

test('a look that throws is reported and tried again later, others go on', async () => {
  answer = ({ serverName }) => (serverName === 'bad' ? Promise.reject(new Error('a defect')) : Promise.resolve(good));
  checker.watch('bad', subject('bad'));
  checker.watch('a', subject('a.example'));
  await vi.advanceTimersByTimeAsync(1200);
  expect([errors.length, changes]).toEqual([1, ['a']]);
  await vi.advanceTimersByTimeAsync(720_000);
  expect(errors).toHaveLength(2);
});

test('close ends what runs and begins nothing more', async () => {
  answer = (_subject, signal) =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve(lost), { once: true }));
  checker.watch('a', subject('a.example'));
  await vi.advanceTimersByTimeAsync(1200);
  await checker.close();
  checker.watch('b', subject('b.example'));
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect([looks, changes]).toEqual([['a.example'], []]);
});

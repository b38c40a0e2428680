import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { identify, isAlive, parseStat } from './process-identity.ts';

const after = Array.from({ length: 19 }, (_, index) => String(index + 4)).join(' '); // fields 4 to 22

const cases = [
  { name: 'the start is field 22', stat: `12 (node) S ${after} 23 24`, ticks: 22 },
  { name: 'a name with spaces and brackets shifts nothing', stat: `12 (a) (b c) R ${after} 23`, ticks: 22 },
  { name: 'a process that is only not yet reaped is gone', stat: `12 (node) Z ${after} 23`, ticks: undefined },
  { name: 'text that is cut off is no process', stat: '12 (node) S 4', ticks: undefined },
];

test.for(cases)('$name', ({ stat, ticks }) => {
  expect(parseStat(stat)).toBe(ticks);
});

test('this process is alive, and another with its number is not the same', () => {
  const own = identify(process.pid);
  if (own === undefined) throw new Error('this process has no /proc/<pid>/stat');
  expect(isAlive(own)).toBe(true);
  expect(isAlive({ ...own, startTicks: own.startTicks - 1 })).toBe(false);
});

test('a process that has ended is not alive', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const identity = identify(child.pid ?? 0);
  if (identity === undefined) throw new Error('the child has no /proc/<pid>/stat');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isAlive(identity)).toBe(false);
});

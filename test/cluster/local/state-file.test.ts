import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readState, type State, writeState } from './state-file.ts';

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'state-file-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  return dir;
}

const state: State = {
  version: 1,
  name: 'one',
  init: { pid: 7, startTicks: 70 },
  keeper: { pid: 6, startTicks: 60 },
  cgroup: '/matrix-operator/one',
  complete: false,
};

test('what is written is read again, the newest of two', async () => {
  const dir = await folder();
  await writeState(dir, state);
  await writeState(dir, { ...state, slot: 3, complete: true });
  expect(await readState(dir)).toEqual({ ...state, slot: 3, complete: true });
});

test('an instance that never was has no state', async () => {
  expect(await readState(join(await folder(), 'none'))).toBeUndefined();
});

const broken = [
  { name: 'a file that is cut off counts as no state', text: '{"version": 1, "na' },
  { name: 'a cgroup outside of ours is refused', text: JSON.stringify({ ...state, cgroup: '/system.slice' }) },
  {
    name: 'a process id that is none is refused',
    text: JSON.stringify({ ...state, init: { pid: -1, startTicks: 1 } }),
  },
];

test.for(broken)('$name', async ({ text }) => {
  const dir = await folder();
  await writeFile(join(dir, 'state.json'), text);
  expect(await readState(dir)).toBeUndefined();
});

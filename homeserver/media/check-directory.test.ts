import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { directoryProblem } from './check-directory.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-media-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('a directory that can be written is fine and stays empty', async () => {
  expect(await directoryProblem(folder)).toBeUndefined();
  expect(await readdir(folder)).toEqual([]);
});

test('a missing directory, and a file in its place, are named', async () => {
  expect(await directoryProblem(join(folder, 'missing'))).toContain('missing cannot be written: ENOENT');
  await writeFile(join(folder, 'file'), '');
  expect(await directoryProblem(join(folder, 'file'))).toContain('file is not a directory');
});

test('a directory in which nobody may create files is refused', async () => {
  expect(await directoryProblem('/proc/self')).toMatch(/^\/proc\/self cannot be written: E/);
});

import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debianProgram } from '../cluster/debian-program.ts';
import { runCommand } from '../cluster/run-command.ts';

const RULES = join(import.meta.dirname, '..', '..', 'charts', 'matrix-operator', 'files', 'rules.yaml');
const CASES = join(import.meta.dirname, 'alerts', 'rules.test.yaml');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-rules-'));
  await copyFile(RULES, join(folder, 'rules.yaml'));
  await copyFile(CASES, join(folder, 'cases.yaml'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function promtool(...args: string[]): Promise<string> {
  return runCommand(await debianProgram('promtool', 'prometheus'), args, { cwd: folder });
}

test('Prometheus accepts every rule', async () => {
  expect(await promtool('check', 'rules', 'rules.yaml')).toContain('SUCCESS');
});

test('each alert is raised by what it is for, and by nothing that is in order', async () => {
  expect(await promtool('test', 'rules', 'cases.yaml')).toContain('SUCCESS');
});

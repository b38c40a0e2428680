import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CommandRun } from '../support/command-ledger.ts';
import { COMMAND_LEDGER } from '../support/command-ledger.ts';
import { commandsIn, documentedCommands } from '../support/documented-commands.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const line = (document: string, command: string) => `${document}: ${command}`;
const listed = Object.entries(COMMAND_LEDGER).flatMap(([document, runs]) =>
  Object.entries(runs).map(([command, run]) => ({ document, command, run })),
);

test('every command of the pages for users is run by a test that the ledger names, and no entry is left over', () => {
  const told = documentedCommands().map(({ document, command }) => line(document, command));
  expect(new Set(listed.map(({ document, command }) => line(document, command)))).toEqual(new Set(told));
});

test('where a test of its own runs a command, that file is there and shows it', () => {
  const isShown = (run: CommandRun) => {
    if (!('by' in run)) return true;
    const file = join(ROOT, run.by);
    return existsSync(file) && readFileSync(file, 'utf8').includes(run.proof);
  };
  expect(listed.filter(({ run }) => !isShown(run))).toEqual([]);
});

test('what no test runs is what makes the tests themselves, and measurements', () => {
  const unrun = listed.filter(({ run }) => 'unrun' in run).map(({ command }) => command);
  expect(unrun.every((command) => /^npm (ci|test|run bench:.*)$/.test(command))).toBe(true);
});

test('commands are found in blocks of shell, behind prompts and in sentences, with continued lines and without comments', () => {
  const page = [
    'Say `kubectl get mhs -A`, or `kubectl scale`, or `npm run x`.',
    '```sh\nkubectl get pods \\\n  -A     # all\n# nothing\n\n```',
    '```\n$ helm list -A\nNAME\n```',
    '```yaml\nkubectl: apply\n```',
  ].join('\n');
  expect(commandsIn(page)).toEqual(['kubectl get pods    -A', 'helm list -A', 'kubectl get mhs -A']);
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readReport } from './test-report.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-report-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function report(content: object): Promise<string> {
  const file = join(folder, 'report.json');
  await writeFile(file, JSON.stringify(content));
  return file;
}

const one = (status: string, failureMessages: string[] = []) => ({
  fullName: `a ${status} one`,
  status,
  failureMessages,
});

test('counts what passed and failed, and says what failed with its words', async () => {
  const assertionResults = [one('passed'), one('failed', ['expected 1 to be 2'])];
  const testResults = [{ name: 'x.test.ts', status: 'failed', assertionResults }];
  const file = await report({ numPassedTests: 1, numFailedTests: 1, testResults });
  const failures = ['x.test.ts > a failed one\nexpected 1 to be 2'];
  expect(readReport(file, 1)).toEqual({ passed: 1, failed: 1, failures });
});

test('a file that could not run at all is one failure, with why', async () => {
  const testResults = [{ name: 'x.test.ts', status: 'failed', message: 'cannot find y', assertionResults: [] }];
  const file = await report({ numPassedTests: 3, numFailedTests: 0, testResults });
  expect(readReport(file, 1)).toEqual({
    passed: 3,
    failed: 1,
    failures: ['x.test.ts\ncannot find y', 'ended with exit code 1'],
  });
});

test.each([
  [0, 0],
  [1, 4],
])('a run that ended with %i after %i tests that passed is a failure', async (code, passed) => {
  const file = await report({ numPassedTests: passed, numFailedTests: 0, testResults: [] });
  expect(readReport(file, code)).toMatchObject({ passed, failed: 1 });
});

test('a run that left no report is a failure', () => {
  expect(readReport(join(folder, 'none.json'), 0)).toMatchObject({ passed: 0, failed: 1 });
});

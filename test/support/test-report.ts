import { existsSync, readFileSync } from 'node:fs';
import * as z from 'zod';

/** What is read of a vitest JSON report. */
const Report = z.looseObject({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  testResults: z.array(
    z.looseObject({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(
        z.looseObject({
          fullName: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()).nullish(),
        }),
      ),
    }),
  ),
});

/** How one part of the checks went. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  /** What failed and with which words, to be read again at the end of a long output. */
  readonly failures: readonly string[];
}

const MAX_WORDS = 1200;

/** Reads the report of a vitest run that ended with `code`; without a report, or with nothing run, that is one failure. */
export function readReport(file: string, code: number): Tally {
  const tally = existsSync(file) ? tallyOf(JSON.parse(readFileSync(file, 'utf8'))) : NOTHING;
  if (tally.failed > 0 || (code === 0 && tally.passed > 0)) return tally;
  return { ...tally, failed: 1, failures: [...tally.failures, `ended with exit code ${code}`] };
}

const NOTHING: Tally = { passed: 0, failed: 0, failures: [] };

function tallyOf(json: unknown): Tally {
  const { numPassedTests, numFailedTests, testResults } = Report.parse(json);
  const failures = testResults.flatMap(({ name, status, message = '', assertionResults }) => {
    const failed = assertionResults.filter((one) => one.status === 'failed');
    if (failed.length === 0 && status === 'failed') return [`${name}\n${message.slice(0, MAX_WORDS)}`];
    return failed.map((one) => `${name} > ${one.fullName}\n${wordsOf(one.failureMessages ?? [])}`);
  });
  return { passed: numPassedTests, failed: numFailedTests, failures };
}

function wordsOf(messages: readonly string[]): string {
  return messages.map((message) => message.slice(0, MAX_WORDS)).join('\n');
}

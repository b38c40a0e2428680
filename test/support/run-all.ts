import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as z from 'zod';

/** What is read of a vitest JSON report. */
const Report = z.looseObject({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  numTotalTestSuites: z.int(),
  numFailedTestSuites: z.int(),
});

const CHECKS = ['types', 'format:check', 'lint', 'deps', 'dead', 'generate:check'] as const;
const PROJECTS = ['unit', 'storage', 'homeserver', 'operator', 'e2e'] as const;

const HELP = `npm test: every check, in order: static checks, then the tests of each level.

  --only NAME[,NAME]   just these parts (${[...CHECKS, ...PROJECTS].join(', ')})
  --help               this text

The last line is "N passed, N failed"; a static check counts as one.
`;

interface Tally {
  passed: number;
  failed: number;
}

function run(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

async function runCheck(name: string): Promise<Tally> {
  const code = await run('npm', ['run', '--silent', name]);
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

async function runProject(name: string, reports: string): Promise<Tally> {
  const file = join(reports, `${name}.json`);
  rmSync(file, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const code = await run('npx', ['vitest', 'run', '--project', name, ...reporters]);
  const tally = existsSync(file) ? readReport(file) : { passed: 0, failed: 0 };
  // A run that failed, or ran nothing, without a failed test of its own still counts as one failure.
  if (tally.failed === 0 && (code !== 0 || tally.passed === 0)) tally.failed = 1;
  return tally;
}

function readReport(file: string): Tally {
  const report = Report.parse(JSON.parse(readFileSync(file, 'utf8')));
  return { passed: report.numPassedTests, failed: report.numFailedTests };
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { only: { type: 'string' }, help: { type: 'boolean' } } });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const only = values.only?.split(',');
  const unknown = only?.filter((name) => ![...CHECKS, ...PROJECTS].some((known) => known === name)) ?? [];
  if (unknown.length > 0) {
    process.stderr.write(`unknown part: ${unknown.join(', ')}\n\n${HELP}`);
    return 2;
  }
  const wanted = (name: string) => only === undefined || only.includes(name);
  const reports = join('.cache', 'test-reports');
  mkdirSync(reports, { recursive: true });
  const total: Tally = { passed: 0, failed: 0 };
  const parts = [
    ...CHECKS.filter(wanted).map((name) => ({ name, start: () => runCheck(name) })),
    ...PROJECTS.filter(wanted).map((name) => ({ name, start: () => runProject(name, reports) })),
  ];
  for (const part of parts) {
    process.stdout.write(`\n=== ${part.name}\n`);
    const started = performance.now();
    const tally = await part.start();
    total.passed += tally.passed;
    total.failed += tally.failed;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stdout.write(`=== ${part.name}: ${tally.passed} ok, ${tally.failed} not ok in ${seconds} s\n`);
  }
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

process.exitCode = await main();

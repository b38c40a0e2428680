import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Tally } from './test-report.ts';
import { readReport } from './test-report.ts';

const CHECKS = ['types', 'format:check', 'lint', 'deps', 'dead', 'generate:check'] as const;
const PROJECTS = ['unit', 'storage', 'homeserver', 'operator', 'harness', 'e2e'] as const;
const REPORTS = join('.cache', 'test-reports');

const HELP = `npm test: every check: static checks, then the tests of each level.

  --only NAME[,NAME]   just these parts (${[...CHECKS, ...PROJECTS].join(', ')})
  --help               this text

Static checks and the tests of units, harness and storage run beside the end-to-end tests, which wait half of their
time; what those print comes after them. The last line is "N passed, N failed"; a static check counts as one.
`;

interface Part {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** How it went, once its program ended with this code. */
  tally(code: number): Tally;
}

const check = (name: string): Part => ({
  name,
  command: ['npm', 'run', '--silent', name],
  tally: (code) =>
    code === 0
      ? { passed: 1, failed: 0, failures: [] }
      : { passed: 0, failed: 1, failures: [`npm run ${name} ended with exit code ${code}`] },
});

function project(name: string): Part {
  const file = join(REPORTS, `${name}.json`);
  rmSync(file, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  return {
    name,
    command: ['npx', 'vitest', 'run', '--project', name, ...reporters],
    tally: (code) => readReport(file, code),
  };
}

interface RunOptions {
  /** Gets all that the part writes; without it the part writes on our own output. */
  readonly print?: (text: string) => void;
  /** Gives way to what runs beside it. */
  readonly isNice?: boolean;
}

async function run({ name, command, tally }: Part, { print, isNice = false }: RunOptions = {}): Promise<Tally> {
  const say = print ?? toOutput;
  say(`\n=== ${name}\n`);
  const started = performance.now();
  const [program, ...words] = command;
  const output = print === undefined ? 'inherit' : 'pipe';
  const child = spawn(program, words, { stdio: ['ignore', output, output] });
  if (isNice && child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', say);
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? 1));
  });
  const result = tally(code);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  say(`=== ${name}: ${result.passed} ok, ${result.failed} not ok in ${seconds} s\n`);
  return result;
}

const toOutput = (text: string): void => void process.stdout.write(text);

async function runInOrder(parts: readonly Part[], options?: RunOptions): Promise<Tally[]> {
  const tallies: Tally[] = [];
  for (const part of parts) tallies.push(await run(part, options));
  return tallies;
}

/** Begins a part while others print; its output is kept until it is shown, and goes on from there. */
function begin(part: Part): { show(): Promise<Tally> } {
  let print: ((text: string) => void) | undefined;
  let kept = '';
  const tally = run(part, { print: (text) => (print === undefined ? (kept += text) : print(text)) });
  const show = () => {
    toOutput(kept);
    print = toOutput;
    return tally;
  };
  return { show };
}

async function runAll(wanted: (name: string) => boolean): Promise<Tally[]> {
  const quick = [...CHECKS.filter(wanted).map(check), ...(wanted('unit') ? [project('unit')] : [])];
  const beside = (['harness', 'storage'] as const).filter(wanted).map(project);
  const alone = (['homeserver', 'operator'] as const).filter(wanted).map(project);
  if (!wanted('e2e')) return runInOrder([...quick, ...beside, ...alone]);
  toOutput('=== e2e has begun; what it prints follows after the parts beside it\n');
  const e2e = begin(project('e2e'));
  const tallies = [...(await runInOrder(quick, { isNice: true })), ...(await runInOrder(beside))];
  return [...tallies, await e2e.show(), ...(await runInOrder(alone))];
}

function readArguments(): { wanted: (name: string) => boolean } | { code: number } {
  const { values } = parseArgs({ options: { only: { type: 'string' }, help: { type: 'boolean' } } });
  if (values.help === true) {
    process.stdout.write(HELP);
    return { code: 0 };
  }
  const only = values.only?.split(',');
  const unknown = only?.filter((name) => ![...CHECKS, ...PROJECTS].some((known) => known === name)) ?? [];
  if (unknown.length > 0) {
    process.stderr.write(`unknown part: ${unknown.join(', ')}\n\n${HELP}`);
    return { code: 2 };
  }
  return { wanted: (name) => only === undefined || only.includes(name) };
}

async function main(): Promise<number> {
  const read = readArguments();
  if ('code' in read) return read.code;
  mkdirSync(REPORTS, { recursive: true });
  const tallies = await runAll(read.wanted);
  const failures = tallies.flatMap((tally) => tally.failures);
  if (failures.length > 0) process.stdout.write(`\n=== what failed\n\n${failures.join('\n\n')}\n`);
  const sum = (of: 'passed' | 'failed') => tallies.reduce((total, tally) => total + tally[of], 0);
  process.stdout.write(`\n${sum('passed')} passed, ${sum('failed')} failed\n`);
  return sum('failed') === 0 && sum('passed') > 0 ? 0 : 1;
}

process.exitCode = await main();

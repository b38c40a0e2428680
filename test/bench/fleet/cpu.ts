import { readdirSync, readFileSync } from 'node:fs';

/** Ticks a second, of user and system time in /proc (Linux). */
const TICKS = 100;

interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  /** Of itself and of its children that have ended, s. */
  readonly seconds: number;
}

/** A process by its number, or those whose command line has all these words. */
export type Root = number | readonly string[];

/** CPU time of a process and of what it has started, s. */
export function cpuOf(root: Root): number {
  const all = processes();
  const isRoot = (pid: number) => (typeof root === 'number' ? pid === root : hasWords(pid, root));
  const counted = new Set(all.map(({ pid }) => pid).filter(isRoot));
  for (const { pid, parent } of all) if (counted.has(parent)) counted.add(pid);
  return all.filter(({ pid }) => counted.has(pid)).reduce((total, { seconds }) => total + seconds, 0);
}

/** Parents first. */
function processes(): ProcessFacts[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => factsOf(Number(name)) ?? [])
    .sort((a, b) => a.pid - b.pid);
}

function factsOf(pid: number): ProcessFacts | undefined {
  const fields = readProc(pid, 'stat').split(') ')[1]?.split(' ');
  if (fields === undefined) return undefined;
  const [user = 0, system = 0, ofUser = 0, ofSystem = 0] = fields.slice(11, 15).map(Number);
  return { pid, parent: Number(fields[1]), seconds: (user + system + ofUser + ofSystem) / TICKS };
}

function hasWords(pid: number, words: readonly string[]): boolean {
  const line = readProc(pid, 'cmdline').replaceAll('\0', ' ');
  return pid !== process.pid && words.every((word) => line.includes(word));
}

/** Empty when the process has just ended. */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

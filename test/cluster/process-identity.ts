import { readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same number: its id and its start, in clock ticks after boot. */
export interface ProcessIdentity {
  pid: number;
  startTicks: number;
}

/** The start of a process in clock ticks after boot, or undefined if there is none or only its unreaped remains. */
export function startTicksOf(pid: number): number | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Field 22 of /proc/<pid>/stat; the program's name (field 2) may itself hold spaces and brackets. */
export function parseStat(stat: string): number | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  const ticks = Number(fields[19]);
  return Number.isInteger(ticks) ? ticks : undefined;
}

/** The identity of a running process, or undefined. */
export function identify(pid: number): ProcessIdentity | undefined {
  const startTicks = startTicksOf(pid);
  return startTicks === undefined ? undefined : { pid, startTicks };
}

/** Whether exactly this process still runs. */
export function isAlive(process: ProcessIdentity): boolean {
  return startTicksOf(process.pid) === process.startTicks;
}

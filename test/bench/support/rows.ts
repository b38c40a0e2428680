import { writeFileSync } from 'node:fs';

/** One figure. `target` reads ">= 300" or "<= 8"; without one the row only informs and `ok` is true. */
export interface Row {
  name: string;
  value: number;
  unit: string;
  target?: string | undefined;
  ok: boolean;
  /** The peer's figure in the same run, and ours as a multiple of it. */
  peer?: number | undefined;
  ratio?: number | undefined;
  /** CPU time of one call by who spent it, ms: tells who is the limit. */
  cpu?: Readonly<Record<string, number | undefined>> | undefined;
}

export function row(name: string, value: number, unit: string, target?: string): Row {
  return { name, value, unit, target, ok: target === undefined || meets(value, target) };
}

function meets(value: number, target: string): boolean {
  const [comparison, bound] = target.split(' ');
  return comparison === '<=' ? value <= Number(bound) : value >= Number(bound);
}

/** Who spent CPU time, in the order of the columns. */
const SPENDERS = ['load', 'server', 'database'];

const number = (value: number | undefined): string =>
  value === undefined ? '' : value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

export function printRows(rows: readonly Row[]): void {
  const withPeer = rows.some((r) => r.peer !== undefined);
  const spenders = SPENDERS.filter((who) => rows.some((r) => r.cpu?.[who] !== undefined));
  const cells = rows.map((r) => [
    r.name,
    number(r.value),
    r.unit,
    r.target ?? '',
    r.target === undefined ? '' : r.ok ? 'ok' : 'MISSED',
    ...(withPeer ? [number(r.peer), number(r.ratio)] : []),
    ...spenders.map((who) => r.cpu?.[who]?.toFixed(3) ?? ''),
  ]);
  const head = [
    'figure',
    'value',
    'unit',
    'target',
    '',
    ...(withPeer ? ['peer', 'ratio'] : []),
    ...spenders.map((who) => `${who} ms`),
  ];
  const table = [head, ...cells];
  const widths = head.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  for (const line of table) {
    process.stdout.write(
      `${line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
  }
}

export function writeRows(file: string | undefined, rows: readonly Row[]): void {
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(rows, null, 2)}\n`);
}

import { printable } from './paint.ts';
import type { Paint } from './paint.ts';
import { columns } from './table.ts';
import type { Row } from './table.ts';

export interface CheckView {
  readonly name: string;
  /** null where only what is wrong is counted. */
  readonly checked: number | null;
  readonly problems: number;
  readonly examples: readonly string[];
  readonly complete: boolean;
}

/** What `homeserver verify` found, a line for each check, the faults under theirs. */
export function verifyView(
  report: { readonly whole: boolean; readonly serverName: string; readonly checks: readonly CheckView[] },
  paint: Paint,
): string[] {
  const rows = columns(report.checks.map(row), paint, '  ');
  const lines = report.checks.flatMap(({ examples }, i) => [
    rows[i] ?? '',
    ...examples.map((example) => `      ${printable(example)}`),
  ]);
  const verdict = report.whole ? paint('good', 'whole') : paint('bad', 'NOT whole');
  return [`The database of ${printable(report.serverName)} is ${verdict}.`, ...lines];
}

function row({ name, checked, problems, complete }: CheckView): Row {
  const found = problems === 0 ? 'good' : `${problems} wrong`;
  const looked = checked === null ? '' : `${checked} looked at`;
  const style = problems === 0 ? 'good' : 'bad';
  return [{ text: found, style }, printable(name), looked, complete ? '' : { text: 'time ran out', style: 'bad' }];
}

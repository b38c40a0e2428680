import type { Paint, Style } from './paint.ts';

export interface Cell {
  readonly text: string;
  readonly style?: Style | undefined;
}

export type Row = readonly (string | Cell)[];

const GAP = '  ';

/** Columns as wide as their longest text; colours take no room. Lines have no spaces at their ends. */
export function columns(rows: readonly Row[], paint: Paint, indent = ''): string[] {
  const cells = rows.map((row) => row.map(asCell));
  const widths: number[] = [];
  for (const row of cells) row.forEach(({ text }, i) => (widths[i] = Math.max(widths[i] ?? 0, text.length)));
  return cells.map((row) => `${indent}${line(row, widths, paint)}`.trimEnd());
}

function asCell(cell: string | Cell): Cell {
  return typeof cell === 'string' ? { text: cell } : cell;
}

function line(row: readonly Cell[], widths: readonly number[], paint: Paint): string {
  return row
    .map(({ text, style }, i) => {
      const shown = style === undefined ? text : paint(style, text);
      return i === row.length - 1 ? shown : shown + ' '.repeat(Math.max(0, (widths[i] ?? 0) - text.length));
    })
    .join(GAP);
}

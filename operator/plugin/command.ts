import type { Terminal } from './terminal.ts';
import { UsageError } from './terminal.ts';

/** One verb of the plugin. */
export interface PluginCommand {
  /** The whole text of `--help`; its first line is `kubectl matrix VERB …: what it does`. */
  readonly help: string;
  /** Runs to the end and gives the exit code; throws UsageError, PluginError, KubeError. */
  run(args: string[], at: Terminal): Promise<number>;
}

/** The one name that a command wants. */
export function theName(positionals: readonly string[], what = 'NAME'): string {
  const [name, ...more] = positionals;
  if (name === undefined || more.length > 0) throw new UsageError(`name one resource: ${what}`);
  return name;
}

/** Whether JSON is wanted; no other format is there. */
export function wantsJson(output: string | undefined): boolean {
  if (output === undefined || output === 'json') return output === 'json';
  throw new UsageError(`--output: only json is allowed, not ${output}`);
}

/** JSON for scripts: two spaces deep, one line break at the end. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** Lines as one text. */
export function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

/** A whole number of an option within its bounds. */
export function numberOption(name: string, value: string, { min, max }: { min: number; max: number }): number {
  const number = /^[0-9]{1,12}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new UsageError(`--${name}: a whole number from ${min} to ${max} is allowed, not ${value}`);
}

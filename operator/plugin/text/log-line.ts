import { printable } from './paint.ts';
import type { Paint, Style } from './paint.ts';

const STYLES: Readonly<Record<string, Style>> = {
  error: 'bad',
  fatal: 'bad',
  warn: 'busy',
  info: 'good',
  debug: 'faint',
};

/** A line of a homeserver's log for people: pod, time, level, message, then the fields. What is not JSON stays as it is. */
export function logLine(pod: string, line: string, paint: Paint): string {
  const fields = readFields(line);
  if (fields === undefined) return `${paint('faint', pod)} ${printable(line)}`;
  const { time, level, msg, ...rest } = fields;
  const word = asText(level);
  const more = Object.entries(rest).map(([name, value]) => `${name}=${asText(value)}`);
  const parts = [
    paint('faint', pod),
    printable(asText(time)),
    paint(STYLES[word] ?? 'strong', printable(word.toUpperCase().padEnd(5))),
    printable(asText(msg)),
    paint('faint', printable(more.join(' '))),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function readFields(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const found: unknown = JSON.parse(line);
    return typeof found === 'object' && found !== null ? { ...found } : undefined;
  } catch {
    return undefined;
  }
}

function asText(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

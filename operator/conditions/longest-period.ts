const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const WEEKDAYS = 'sun mon tue wed thu fri sat'.split(' ');

/** From a leap year on, so that the 29th of February comes twice. */
const FIRST_DAY = Date.UTC(2024, 0, 1);
const DAYS = 8 * 366;

/**
 * The longest time between two runs of a cron schedule, in ms, without the hour that a time zone may add. A day for what is no
 * schedule; the API server refuses such.
 */
export function longestPeriodMs(schedule: string): number {
  const text = schedule.trim().toLowerCase();
  const every = /^@every (?:(\d+)h)?(?:(\d+)m)?(?:\d+s)?$/.exec(text);
  if (every !== null) return (Number(every[1] ?? 0) * 60 + Number(every[2] ?? 0) + 1) * MINUTE_MS;
  const fields = (MACROS[text] ?? text).split(/\s+/);
  if (fields.length !== 5) return DAY_MS;
  const [minute = '', hour = '', ...days] = fields;
  const times = timesOfDay(minute, hour);
  const [first = 0] = times;
  const last = times.at(-1) ?? 0;
  const within = Math.max(0, ...times.slice(1).map((time, i) => time - (times[i] ?? time)));
  const overnight = longestDays(days) * 1440 - last + first;
  return Math.max(within, overnight) * MINUTE_MS;
}

/** Minutes of the day at which it runs, in order. */
function timesOfDay(minute: string, hour: string): number[] {
  const minutes = valuesOf(minute, { from: 0, to: 59, names: [] });
  return valuesOf(hour, { from: 0, to: 23, names: [] }).flatMap((one) => minutes.map((other) => one * 60 + other));
}

/** The longest step from a day on which it runs to the next one, in days. */
function longestDays(fields: readonly string[]): number {
  if (fields.every(isAny)) return 1;
  const runsOn = dayFilter(fields);
  let longest = 1;
  let before: number | undefined;
  for (let day = 0; day < DAYS; day += 1) {
    if (!runsOn(new Date(FIRST_DAY + day * DAY_MS))) continue;
    longest = Math.max(longest, day - (before ?? day));
    before = day;
  }
  return longest;
}

function dayFilter([dayOfMonth = '', month = '', dayOfWeek = '']: readonly string[]): (date: Date) => boolean {
  const inMonth = new Set(valuesOf(dayOfMonth, { from: 1, to: 31, names: [] }));
  const months = new Set(valuesOf(month, { from: 1, to: 12, names: MONTHS }));
  const inWeek = new Set(valuesOf(dayOfWeek, { from: 0, to: 7, names: WEEKDAYS }).map((day) => day % 7));
  // Either is enough where both say something, as cron has it.
  const either = !isAny(dayOfMonth) && !isAny(dayOfWeek);
  return (date) => {
    const [byMonth, byWeek] = [inMonth.has(date.getUTCDate()), inWeek.has(date.getUTCDay())];
    return months.has(date.getUTCMonth() + 1) && (either ? byMonth || byWeek : byMonth && byWeek);
  };
}

interface Range {
  readonly from: number;
  readonly to: number;
  /** Of the values from `from` on. */
  readonly names: readonly string[];
}

/** The values that a field stands for, in order. */
function valuesOf(field: string, range: Range): number[] {
  const found = new Set(field.split(',').flatMap((part) => valuesOfPart(part, range)));
  return [...found].sort((a, b) => a - b);
}

function valuesOfPart(part: string, range: Range): number[] {
  const [span = '', step] = part.split('/');
  const [low = '', high] = span.split('-');
  const start = isAny(low) ? range.from : valueOf(low, range);
  const isOpen = isAny(low) || (high === undefined && step !== undefined);
  const end = isOpen ? range.to : high === undefined ? start : valueOf(high, range);
  const by = Math.max(1, Number(step ?? 1) || 1);
  return Array.from({ length: Math.max(0, Math.floor((end - start) / by) + 1) }, (_, i) => start + i * by);
}

function valueOf(text: string, { from, names }: Range): number {
  const named = names.indexOf(text.slice(0, 3));
  return named < 0 ? Number(text) || from : from + named;
}

function isAny(field: string): boolean {
  return field === '*' || field === '?';
}

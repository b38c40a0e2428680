const UNITS = [
  { letter: 'd', seconds: 86_400 },
  { letter: 'h', seconds: 3600 },
  { letter: 'm', seconds: 60 },
] as const;

/** A span in ms as kubectl shows ages: the largest unit that is at least twice in it, such as 90s, 47h, 41d. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const unit = UNITS.find((one) => seconds >= 2 * one.seconds);
  return unit === undefined ? `${seconds}s` : `${Math.floor(seconds / unit.seconds)}${unit.letter}`;
}

/** How long ago an RFC 3339 time was; empty if there is none. `now` in Unix ms. */
export function age(time: string | undefined, now: number): string {
  const at = Date.parse(time ?? '');
  return Number.isNaN(at) ? '' : span(now - at);
}

/** An RFC 3339 time with how far away it is: `2026-11-22T14:20:00Z (in 23h)`. */
export function withDistance(time: string, now: number): string {
  const at = Date.parse(time);
  if (Number.isNaN(at)) return time;
  return at > now ? `${time} (in ${span(at - now)})` : `${time} (${span(now - at)} ago)`;
}

/** A span in ms as `12 h 5 min`. */
export function hoursAndMinutes(ms: number): string {
  const minutes = Math.ceil(ms / 60_000);
  const parts = [
    [Math.floor(minutes / 60), 'h'],
    [minutes % 60, 'min'],
  ] as const;
  const said = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`);
  return said.length === 0 ? '0 min' : said.join(' ');
}

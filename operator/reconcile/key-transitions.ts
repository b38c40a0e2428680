import type { Status } from '../api/status.ts';

/** A key that came into another state. */
export interface KeyTransition {
  readonly to: string;
  /** How long it was in the state before. */
  readonly seconds: number;
}

/** What happened to the keys between two statuses; a key that is new has come from nowhere. */
export function keyTransitions(
  before: Pick<Status, 'signingKeys'>,
  next: Pick<Status, 'signingKeys'>,
): KeyTransition[] {
  return (next.signingKeys ?? []).flatMap(({ name, state, since }) => {
    const old = before.signingKeys?.find((key) => key.name === name);
    if (state === undefined || old?.state === undefined || old.state === state) return [];
    const seconds = (Date.parse(since ?? '') - Date.parse(old.since ?? '')) / 1000;
    return Number.isFinite(seconds) ? [{ to: state, seconds: Math.max(0, seconds) }] : [];
  });
}

import { setFlagsFromString } from 'node:v8';

/** How often resident memory is looked at. */
const LOOK_MS = 2_000;
/** What is resident beside V8's heap where it keeps nothing is 60 MB. */
const KEPT_BYTES = 80_000_000;

/**
 * Makes V8 collect when a fifth of what lives has been added, in place of up to three times of it: what it has once taken for old
 * objects it keeps. For a process that serves; docs/decisions/0024-homeserver-memory.md has the figures.
 */
export function limitGarbage(): void {
  setFlagsFromString('--heap-growing-percent=20');
}

/**
 * Has V8 give back the pages of a burst when it is over: those that it has emptied it keeps for itself, and by its own rules it
 * returns them only when hardly anything is allocated any more, which is never in a process that serves.
 * docs/decisions/0030-large-answers.md has the figures.
 */
export function giveBackMemory(lookMs = LOOK_MS): void {
  let isGivingBack = false;
  const look = (): void => {
    const { rss, heapTotal, external } = process.memoryUsage();
    const isKept = rss - heapTotal - external > KEPT_BYTES;
    if (isKept === isGivingBack) return;
    isGivingBack = isKept;
    setFlagsFromString(isKept ? '--optimize-for-size' : '--no-optimize-for-size');
  };
  setInterval(look, lookMs).unref();
}

import { setFlagsFromString } from 'node:v8';

/**
 * Makes V8 collect when half of what lives has been added, in place of up to three times of it: what it has once taken for old
 * objects it keeps. For a process that serves; docs/decisions/0024-homeserver-memory.md has the figures.
 */
export function limitGarbage(): void {
  setFlagsFromString('--heap-growing-percent=50');
}

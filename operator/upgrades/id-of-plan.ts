import { createHash } from 'node:crypto';

/** The first 12 hex digits of the SHA-256 of a plan's inputs. */
export function planId(inputs: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(inputs)).digest('hex').slice(0, 12);
}

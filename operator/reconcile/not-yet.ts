import type { Reason } from '../api/reasons.ts';

/** Thrown where a step can only wait: progress, not a failure. */
export class NotYet extends Error {
  readonly reason: Reason;
  readonly retryAfterMs: number;

  constructor(reason: Reason, message: string, retryAfterMs: number) {
    super(message);
    this.name = 'NotYet';
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

import type { Spec } from '../api/matrix-homeserver.ts';
import { digestOf, stableJson } from './digest.ts';

/** Hash of a spec without `paused`, so that pausing alone is no change. */
export function specHash(spec: Spec): string {
  return digestOf([stableJson({ ...spec, paused: false })], 16);
}

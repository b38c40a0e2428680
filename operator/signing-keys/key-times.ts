/** Silence after which a replica counts as dead, in ms. */
export const DEAD_MS = 30_000;
/** How far a replica's clock may be from the database's, in ms. */
export const MAX_SKEW_MS = 30_000;
/**
 * What is added to the newest signature of a key that ends, in ms: a replica without contact signs for 25 s at most, by a
 * clock that is at most 30 s ahead.
 */
export const EXPIRY_MARGIN_MS = 60_000;
/** Replicas that have not taken a keyring for so long, in ms, are replaced: a Secret reaches a volume in about a minute. */
export const RESTART_AFTER_MS = 300_000;
/** After so long, in ms, a person should look. */
export const STUCK_AFTER_MS = 900_000;

const T1_EXTRA_MS = 300_000;

export interface KeyWaits {
  /** T1, ms: how long a key is published before it signs. Notaries may serve an old answer for half its lifetime. */
  readonly publishMs: number;
  /** T4, ms: how long the private half of a retired key is kept: until nobody holds an answer that lists it as current. */
  readonly destroyMs: number;
}

/** The waits that depend on how long others keep our answers. `divisor` shortens them for tests and skips none. */
export function keyWaits(validitySeconds: number, divisor: number): KeyWaits {
  const validityMs = validitySeconds * 1000;
  return {
    publishMs: Math.ceil((validityMs / 2 + T1_EXTRA_MS) / divisor),
    destroyMs: Math.ceil(validityMs / divisor),
  };
}

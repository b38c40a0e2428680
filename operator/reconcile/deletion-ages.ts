/** For how long this process has seen resources being deleted. */
export interface DeletionAges {
  /** Milliseconds since the resource with this uid was first asked about under its key. */
  ageMs(key: string, uid: string): number;
  forget(key: string): void;
}

/**
 * Measured by a clock that does not jump: deletionTimestamp was written by the clock of the API server, and a wall clock that
 * runs ahead would end the sessions of pods before they have drained and give up databases that only needed another minute.
 * A process that starts anew waits once more.
 */
export function createDeletionAges(clock: () => number = () => performance.now()): DeletionAges {
  const seen = new Map<string, { readonly uid: string; readonly at: number }>();
  return {
    ageMs(key, uid) {
      const before = seen.get(key);
      if (before?.uid === uid) return clock() - before.at;
      seen.set(key, { uid, at: clock() });
      return 0;
    },
    forget: (key) => void seen.delete(key),
  };
}

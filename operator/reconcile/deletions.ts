import type { DatabaseLogin } from '../database/connect.ts';

/** All that is needed to drop a database that is ours. */
export interface DropAccess {
  readonly admin: DatabaseLogin;
  readonly claim: string | undefined;
}

/** What this process knows of resources that are being deleted. */
export interface Deletions {
  /** Milliseconds since the resource with this uid was first asked about under its key. */
  ageMs(key: string, uid: string): number;
  /** Keeps what was read while it could be: Kubernetes may delete the Secrets of a namespace before the resource. */
  keepAccess(key: string, uid: string, access: DropAccess): void;
  accessOf(key: string, uid: string): DropAccess | undefined;
  /** Of a resource that is gone. */
  forget(key: string): void;
}

interface Deletion {
  readonly uid: string;
  readonly at: number;
  access?: DropAccess;
}

/**
 * Measured by a clock that does not jump: deletionTimestamp was written by the clock of the API server, and a wall clock that
 * runs ahead would end the sessions of pods before they have drained and give up databases that only needed another minute.
 * A process that starts anew waits once more, and has only the Secrets that are left.
 */
export function createDeletions(clock: () => number = () => performance.now()): Deletions {
  const seen = new Map<string, Deletion>();
  const deletionOf = (key: string, uid: string): Deletion => {
    const before = seen.get(key);
    if (before?.uid === uid) return before;
    const begun = { uid, at: clock() };
    seen.set(key, begun);
    return begun;
  };
  return {
    ageMs: (key, uid) => clock() - deletionOf(key, uid).at,
    keepAccess(key, uid, access) {
      deletionOf(key, uid).access = access;
    },
    accessOf: (key, uid) => deletionOf(key, uid).access,
    forget: (key) => void seen.delete(key),
  };
}

/** What is to be done about a child that is not as it is wanted. */
export type DriftVerdict =
  /** It is new, or something else is wanted than before. */
  | 'news'
  /** Somebody else has changed or deleted what this process had written. */
  | 'repair'
  /** The same, for the fifth time in ten minutes: somebody has to be told. */
  | 'last repair'
  /** It was put back a moment ago, as so often before: it stays as it is for now. */
  | 'held';

/** What this process has written of children, and how often somebody else has undone it. */
export interface Drift {
  /** `wanted` is the digest of what `child` of the resource `key` shall be. A repair counts from now on. */
  judge(key: string, child: string, wanted: string): DriftVerdict;
  /** Whether this process has written the child: what is missing then was taken away by somebody. */
  hasWritten(key: string, child: string): boolean;
  /** To be called when the child was written. */
  wrote(key: string, child: string, wanted: string): void;
  /** In how many ms a child of the resource that is held may be put back; undefined when none is. */
  dueAfterMs(key: string): number | undefined;
  /** Of a resource that is gone, or of one child that this process has deleted. */
  forget(key: string, child?: string): void;
}

interface Written {
  readonly wanted: string;
  /** When it was put back, the latest last. */
  readonly repairs: readonly number[];
  /** Somebody and we undo each other's work. */
  readonly isContested: boolean;
}

const MOST_REPAIRS = 5;
const WINDOW_MS = 600_000;
const PAUSE_MS = 300_000;

/**
 * Two that undo each other's work would do so without an end, as fast as they can. So from the fifth time in ten minutes on a
 * child is put back every five minutes only, until nobody has touched it for ten. A process that starts anew begins anew.
 */
export function createDrift(clock: () => number = () => performance.now()): Drift {
  const resources = new Map<string, Map<string, Written>>();
  const judge: Drift['judge'] = (key, child, wanted) => {
    const children = resources.get(key);
    const before = children?.get(child);
    if (children === undefined || before?.wanted !== wanted) return 'news';
    const now = clock();
    const repairs = before.repairs.filter((at) => now - at < WINDOW_MS);
    if (isHeld({ ...before, repairs }, now)) return 'held';
    const after = [...repairs, now].slice(-MOST_REPAIRS);
    const wasContested = before.isContested && repairs.length > 0;
    const isContested = wasContested || after.length === MOST_REPAIRS;
    children.set(child, { wanted, repairs: after, isContested });
    return isContested && !wasContested ? 'last repair' : 'repair';
  };
  return {
    judge,
    hasWritten: (key, child) => resources.get(key)?.has(child) ?? false,
    wrote(key, child, wanted) {
      const children = resources.get(key) ?? new Map<string, Written>();
      resources.set(key, children);
      if (children.get(child)?.wanted !== wanted) children.set(child, { wanted, repairs: [], isContested: false });
    },
    dueAfterMs(key) {
      const now = clock();
      const held = [...(resources.get(key)?.values() ?? [])].filter((written) => isHeld(written, now));
      const dues = held.map(({ repairs }) => (repairs.at(-1) ?? now) + PAUSE_MS - now);
      return dues.length === 0 ? undefined : Math.max(1, Math.min(...dues));
    },
    forget(key, child) {
      if (child === undefined) resources.delete(key);
      else resources.get(key)?.delete(child);
    },
  };
}

function isHeld({ repairs, isContested }: Written, now: number): boolean {
  const last = repairs.at(-1);
  return isContested && last !== undefined && now - last < PAUSE_MS;
}

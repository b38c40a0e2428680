import { setTimeout as pause } from 'node:timers/promises';
import type { Queryable } from '../database.ts';

const PAUSE_MS = 500;

const TRY_EXCLUSIVE = { name: 'migrate_try_lock', text: 'select pg_try_advisory_lock(7003) as locked' } as const;
const TRY_SHARED = {
  name: 'migrate_try_lock_shared',
  text: 'select pg_try_advisory_lock_shared(7003) as locked',
} as const;

/**
 * Takes lock 7003, under which the schema changes, for this session; it ends with this process, however that ends. A backup
 * shares it with other backups. False: it was held by somebody else for `waitMs`, or until `stop`.
 */
export async function takeMigrateLock(
  db: Queryable,
  options: { shared?: boolean; waitMs: number; stop?: AbortSignal; onWait(): void },
): Promise<boolean> {
  const deadline = performance.now() + options.waitMs;
  for (let waited = false; ; waited = true) {
    const [row] = await db.query<{ locked: boolean }>(options.shared === true ? TRY_SHARED : TRY_EXCLUSIVE);
    if (row?.locked === true) return true;
    if (!waited) options.onWait();
    if (performance.now() >= deadline || options.stop?.aborted === true) return false;
    await pause(PAUSE_MS);
  }
}

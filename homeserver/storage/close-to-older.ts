import type pg from 'pg';
import { setTimeout as pause } from 'node:timers/promises';
import { onClient } from './pool.ts';
import {
  deleteReplicaSessions,
  selectDatabaseTime,
  selectFencedTags,
  selectLiveReplicasBelow,
  updateReplicasFenced,
} from './tables/replica.ts';
import { selectSchemaStateForUpdate, updateCompatVersion } from './tables/schema_state.ts';

const BATCH_LOCK = { name: 'migrate_lock_batches', text: 'select pg_advisory_xact_lock(7001)' } as const;

const END_TRIES = 100;
const END_PAUSE_MS = 100;

/**
 * Raises the lowest level that a program may have: replicas register under `for share` of the row that is taken here, and
 * batches run under lock 7001, so no older program can come or write after the commit. Gives the ids of older ones that
 * live, in which case nothing was done.
 */
export async function closeToOlder(client: pg.Client, level: number, softwareVersion: string): Promise<string[]> {
  const db = onClient(client);
  await client.query('begin');
  try {
    await db.query(BATCH_LOCK);
    await selectSchemaStateForUpdate(db);
    const live = await selectLiveReplicasBelow(db, level);
    if (live.length === 0) {
      await updateReplicasFenced(db, level);
      await updateCompatVersion(db, level, softwareVersion);
    }
    await client.query('commit');
    return live;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

/**
 * Ends the sessions of processes that were fenced as dead: one that only stood still would go on reading what is about to
 * be removed. Whatever connects again is refused, and not waited for: such a process tries again and again. Gives how many sessions are left after 10 s.
 */
export async function endFencedSessions(client: pg.Client, level: number): Promise<number> {
  const tags = await selectFencedTags(onClient(client), level);
  if (tags.length === 0) return 0;
  const fenced = await selectDatabaseTime(onClient(client));
  let left = 0;
  for (let attempt = 0; attempt < END_TRIES; attempt += 1) {
    left = await asLogin(client, () => deleteReplicaSessions(onClient(client), tags, fenced));
    if (left === 0) return 0;
    await pause(END_PAUSE_MS);
  }
  return left;
}

/**
 * Runs `work` as the role that logged in. A login that acts as the owner of the database from its start on may neither see
 * nor end sessions of its own login in the owner's name.
 */
export async function asLogin<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    await client.query('set local role none');
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

import type { ObjectStore } from '../object-store/object-store.ts';
import { backupIdIn, backupNames, timeOf } from './backup-names.ts';
import { listBackups } from './find-backup.ts';

/** Data without a manifest belongs to a backup that is being made, or to nobody once it is this old, ms. */
const LEFTOVER_AGE_MS = 7 * 86_400_000;

export interface Keeping {
  readonly serverName: string;
  readonly keepLast: number;
  /** A backup that stays whatever its age, as the one before the last upgrade. */
  readonly spare?: string | undefined;
  readonly now: Date;
}

/**
 * Deletes all but the newest `keepLast` backups of a server, and what unfinished ones left more than a week ago. A manifest
 * goes before its data: a kill in between leaves data without a manifest, which is no backup.
 */
export async function deleteOldBackups(
  store: ObjectStore,
  { serverName, keepLast, spare, now }: Keeping,
): Promise<string[]> {
  const names = backupNames(serverName);
  const ids = await listBackups(store, serverName);
  const old = ids.slice(0, Math.max(0, ids.length - keepLast)).filter((id) => id !== spare);
  for (const id of old) {
    await store.delete(names.manifest(id));
    await deleteFolder(store, names.folder(id));
  }
  const known = new Set(ids);
  for (const folder of await store.listFolders(names.data)) {
    const id = backupIdIn(folder, names.data);
    if (id === undefined || known.has(id) || now.getTime() - timeOf(id) < LEFTOVER_AGE_MS) continue;
    await deleteFolder(store, folder);
  }
  return old;
}

async function deleteFolder(store: ObjectStore, folder: string): Promise<void> {
  for await (const name of store.list(folder)) await store.delete(name);
}

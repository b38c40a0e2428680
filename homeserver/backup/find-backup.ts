import type { ObjectStore } from '../object-store/object-store.ts';
import { BackupError } from './backup-error.ts';
import { backupIdIn, backupNames, parseBackupId } from './backup-names.ts';
import { type BackupKeys, backupKeysFor } from './encryption.ts';
import { type Manifest, MAX_MANIFEST_BYTES, parseManifest } from './manifest.ts';

/** A backup that may be read. */
export interface FoundBackup {
  readonly manifest: Manifest;
  readonly keys: BackupKeys | undefined;
}

/** Ids of all backups of a server, oldest first. */
export async function listBackups(store: ObjectStore, serverName: string): Promise<string[]> {
  const { manifests } = backupNames(serverName);
  const ids: string[] = [];
  for await (const name of store.list(manifests)) {
    const id = backupIdIn(name, manifests);
    if (id !== undefined) ids.push(id);
  }
  return ids;
}

/** Reads the manifest of a backup, or of the newest one for `latest`, and proves it. Throws BackupError, ObjectStoreError. */
export async function findBackup(
  store: ObjectStore,
  wanted: { serverName: string; backupId: string; encryptionKey: string | undefined },
): Promise<FoundBackup> {
  const { serverName, encryptionKey } = wanted;
  const id =
    wanted.backupId === 'latest' ? (await listBackups(store, serverName)).at(-1) : parseBackupId(wanted.backupId);
  if (id === undefined) throw new BackupError(`there is no backup of ${serverName} in ${store.place}`);
  const bytes = await store.get(backupNames(serverName).manifest(id), MAX_MANIFEST_BYTES);
  if (bytes === undefined) throw new BackupError(`there is no backup ${id} of ${serverName} in ${store.place}`);
  let keys: BackupKeys | undefined;
  const manifest = parseManifest(bytes.toString('utf8'), (found) => {
    keys = backupKeysFor(found, encryptionKey);
    return keys?.manifestKey;
  });
  if (manifest.backupId !== id || manifest.serverName !== serverName) {
    throw new BackupError(`the manifest of backup ${id} speaks of another backup`);
  }
  return { manifest, keys };
}

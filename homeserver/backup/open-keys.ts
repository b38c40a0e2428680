import { KeyBundle, openKeyring } from '../contract/key-bundle.ts';
import type { KeyringFile } from '../contract/keyring-file.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import { BackupError } from './backup-error.ts';
import { backupNames } from './backup-names.ts';
import type { FoundBackup } from './find-backup.ts';
import { readSegment } from './table-streams.ts';

/** The sealed signing keys of a backup as text; undefined when it holds none. Throws BackupError, ObjectStoreError. */
export async function readKeyBundle({ manifest }: FoundBackup, store: ObjectStore): Promise<string | undefined> {
  if (manifest.keys === null) return undefined;
  const name = backupNames(manifest.serverName).keys(manifest.backupId);
  return (await readSegment(store, name, manifest.keys)).toString('utf8');
}

/** The signing keys of a backup, opened; undefined when it holds none. Throws BackupError when they cannot be used. */
export async function openKeys(
  found: FoundBackup,
  store: ObjectStore,
  encryptionKey: string | undefined,
): Promise<KeyringFile | undefined> {
  const text = await readKeyBundle(found, store);
  if (text === undefined || encryptionKey === undefined) return undefined;
  const keyring = openKeyring(KeyBundle.parse(JSON.parse(text)), encryptionKey);
  const { serverName, backupId } = found.manifest;
  if (keyring?.serverName === serverName && keyring.keys.some(({ state }) => state === 'active')) return keyring;
  throw new BackupError(
    `backup ${backupId} has no active signing key of ${serverName} that opens with this encryption key`,
  );
}

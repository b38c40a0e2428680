import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { backupRootKey, MIN_ENCRYPTION_KEY, purposeKey } from '../contract/backup-key.ts';
import { BackupError } from './backup-error.ts';
import type { Manifest } from './manifest.ts';

/** The keys of one encrypted backup. */
export interface BackupKeys {
  readonly salt: Buffer;
  readonly rootKey: Buffer;
  /** For one table's stream. */
  streamKey(table: { schema: string; name: string }): Buffer;
  readonly manifestKey: Buffer;
}

/** Reads the text that a backup is encrypted with. Throws BackupError; never tells what is in the file. */
export async function readEncryptionKey(file: string): Promise<string> {
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw new BackupError(`the encryption key file ${file} cannot be read`, { cause });
  }
  if (text.length >= MIN_ENCRYPTION_KEY) return text;
  const remedy = 'make one with `openssl rand -base64 32`';
  throw new BackupError(`the encryption key in ${file} has fewer than ${MIN_ENCRYPTION_KEY} characters: ${remedy}`);
}

/** Keys for a new backup, by a salt of its own. */
export function newBackupKeys(text: string, backupId: string): BackupKeys {
  return keysFrom(text, backupId, randomBytes(32));
}

/**
 * Keys for reading a backup; undefined for one that is not encrypted. Whoever gives a key expects an encrypted backup: another
 * one may have been put in its place. Throws BackupError.
 */
export function backupKeysFor(manifest: Manifest, text: string | undefined): BackupKeys | undefined {
  const { backupId, encryption } = manifest;
  if (encryption === null) {
    if (text === undefined) return undefined;
    throw new BackupError(
      `backup ${backupId} is not encrypted, but an encryption key was given: leave it out only if that is meant`,
    );
  }
  if (text === undefined) throw new BackupError(`backup ${backupId} is encrypted: give its encryption key`);
  return keysFrom(text, backupId, Buffer.from(encryption.salt, 'base64'));
}

function keysFrom(text: string, backupId: string, salt: Buffer): BackupKeys {
  const rootKey = backupRootKey(text, salt);
  return {
    salt,
    rootKey,
    streamKey: ({ schema, name }) => purposeKey(rootKey, backupId, `table ${schema}.${name}`),
    manifestKey: purposeKey(rootKey, backupId, 'manifest'),
  };
}

import { BackupError } from './backup-error.ts';

/** Where the parts of one server's backups stand in a store. */
export function backupNames(serverName: string) {
  return {
    manifests: `${serverName}/manifest/`,
    manifest: (backupId: string) => `${serverName}/manifest/${backupId}.json`,
    data: `${serverName}/data/`,
    folder: (backupId: string) => `${serverName}/data/${backupId}/`,
    segment: (backupId: string, table: { schema: string; name: string }, number: number) =>
      `${serverName}/data/${backupId}/${table.schema}.${table.name}/${String(number).padStart(6, '0')}`,
    keys: (backupId: string) => `${serverName}/data/${backupId}/keys`,
  };
}

const BACKUP_ID = /^\d{8}T\d{6}Z-[0-9a-f]{10}$/;

/** A new id: the time, so that ids sort by it, its milliseconds in hex, and 7 hex digits of the 4 random bytes. */
export function newBackupId(now: Date, random: Buffer): string {
  const time = now
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:]/g, '');
  const milliseconds = now.getUTCMilliseconds().toString(16).padStart(3, '0');
  return `${time}-${milliseconds}${random.toString('hex').slice(0, 7)}`;
}

/** The id as it is, if it is one. Throws BackupError. */
export function parseBackupId(text: string): string {
  if (BACKUP_ID.test(text)) return text;
  throw new BackupError('the backup id must look like 20261128T021500Z-1a2b3c4d5e, or be `latest`');
}

/** When a backup began, Unix ms. */
export function timeOf(backupId: string): number {
  const [, date, hour, minute, second] = /^(\d{8})T(\d\d)(\d\d)(\d\d)Z/.exec(backupId) ?? [];
  const day = `${date?.slice(0, 4)}-${date?.slice(4, 6)}-${date?.slice(6)}`;
  return Date.parse(`${day}T${hour}:${minute}:${second}Z`);
}

/** The id that a name under `manifests` or `data` stands for; undefined for what is none of ours. */
export function backupIdIn(name: string, prefix: string): string | undefined {
  const id = name.slice(prefix.length).replace(/\.json$|\/$/, '');
  return BACKUP_ID.test(id) ? id : undefined;
}

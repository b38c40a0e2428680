import * as z from 'zod';
import { rules } from './cel.ts';
import { SecretKeyRef } from './fields.ts';
import { S3Location } from './s3-location.ts';

/** `spec.backup`. */
export const BackupSpec = z
  .object({
    schedule: z
      .string()
      .min(1)
      .max(100)
      .describe('When to back up, as a cron expression of five fields or a macro such as @daily.'),
    timeZone: z.string().min(1).max(64).default('Etc/UTC').describe('Time zone of the schedule.'),
    s3: S3Location,
    encryptionSecretRef: SecretKeyRef(
      'Text of 32 or more characters to encrypt with; without it backups are not encrypted and hold no signing keys.',
    ).optional(),
    keepLast: z.int().min(1).max(1000).default(14).describe('Backups to keep; older ones are deleted after a new one.'),
    preUpgrade: z
      .enum(['Required', 'Disabled'])
      .default('Required')
      .describe(
        'Required: an upgrade waits until a backup made for it was read back from the bucket. Disabled: it does not.',
      ),
    drillSchedule: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .describe(
        'When to prove the newest backup, like schedule: it is restored into a spare database on the same server, looked ' +
          'through, served from by a server that is cut off, and dropped. Without it backups are not tried.',
      ),
  })
  .describe('Backups of the database while it serves. Without it there are none.');

const RestoreSource = z
  .object({
    s3: S3Location,
    backupID: z
      .string()
      .max(64)
      .regex(/^(latest|[0-9]{8}T[0-9]{6}Z-[0-9a-f]{10})$/)
      .default('latest')
      .describe('Which backup of this serverName: its id, or latest.'),
    encryptionSecretRef: SecretKeyRef('Text that the backup was encrypted with.').optional(),
  })
  .describe('A backup to begin from.');

/** `spec.bootstrap`. */
export const BootstrapSpec = z
  .object({ restore: RestoreSource.optional() })
  .describe('Where the first data of a new database come from. Without it, it begins empty. Cannot be changed.')
  .meta(
    rules(
      { rule: 'has(self.restore)', message: 'bootstrap must name a source: restore' },
      { rule: 'self == oldSelf', message: 'bootstrap cannot be changed' },
    ),
  );

export type BackupSpec = z.infer<typeof BackupSpec>;
export type RestoreSource = z.infer<typeof RestoreSource>;

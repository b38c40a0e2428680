import * as z from 'zod';
import { API_VERSION, KIND } from '../api/matrix-homeserver.ts';
import { PluginError } from './terminal.ts';

export interface RestoreWish {
  readonly name: string;
  readonly namespace: string;
  /** An id of a backup, or latest. */
  readonly backupID: string;
  /** For `database.existing`: Secret of the new, empty database. */
  readonly databaseSecret?: string | undefined;
}

const Existing = z.looseObject({ secretRef: z.looseObject({ name: z.string() }) });

/** What of a spec matters for a restore; the rest is taken along as it is. */
export const SourceSpec = z.looseObject({
  serverName: z.string(),
  database: z.looseObject({ name: z.string().optional(), existing: Existing.optional() }),
  deletion: z.looseObject({ policy: z.string().optional() }).optional(),
  media: z.looseObject({ s3: z.looseObject({ bucket: z.string() }).optional() }).optional(),
  backup: z.looseObject({ s3: z.looseObject({}), encryptionSecretRef: z.looseObject({}).optional() }).optional(),
});

export type SourceSpec = z.infer<typeof SourceSpec>;

/** The spec without what belongs to the old resource alone: its database, an approval, a wish to delete. */
export function restoredManifest(source: SourceSpec, wish: RestoreWish): object {
  const { backup, database, upgrade } = source;
  if (backup === undefined) {
    throw new PluginError('spec.backup is not set, so there is no bucket to restore from; see docs/backup.md');
  }
  const { s3, encryptionSecretRef } = backup;
  const restore = {
    s3,
    backupID: wish.backupID,
    ...(encryptionSecretRef === undefined ? {} : { encryptionSecretRef }),
  };
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name: wish.name, namespace: wish.namespace },
    spec: {
      ...without(source, ['bootstrap', 'deletion', 'paused', 'upgrade']),
      database: newDatabase(database, wish),
      ...withoutApproval(upgrade),
      bootstrap: { restore },
    },
  };
}

/** Another database: a restore refuses one that is not empty. */
function newDatabase(
  { name: _name, existing, ...rest }: SourceSpec['database'],
  { databaseSecret }: RestoreWish,
): object {
  if (existing === undefined) return rest;
  if (databaseSecret === undefined || databaseSecret === existing.secretRef.name) {
    throw new PluginError(
      'the database is one that somebody else made (database.existing): name the Secret of a new, empty one with --database-secret',
    );
  }
  return { ...rest, existing: { secretRef: { name: databaseSecret } } };
}

/** What to do for uploaded files, which no backup holds. */
export function whereFilesAre({ media }: SourceSpec): string {
  const bucket = media?.s3?.bucket;
  if (bucket !== undefined) return `the new server finds them where they are, in the bucket ${bucket}.`;
  return 'where the old volume is still there, name it in media.persistentVolumeClaim.existingClaimName.';
}

function withoutApproval(upgrade: unknown): object {
  const found = z.looseObject({}).safeParse(upgrade);
  if (!found.success) return {};
  return { upgrade: without(found.data, ['approvedPlan']) };
}

function without(object: object, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

/** Names of all Secrets that a manifest points at, in order: they have to be there first. */
export function secretsNamedIn(value: unknown, key = ''): string[] {
  if (Array.isArray(value)) return unique(value.flatMap((item: unknown) => secretsNamedIn(item, key)));
  if (typeof value !== 'object' || value === null) return [];
  const own = /secretRefs?$/i.test(key) && 'name' in value && typeof value.name === 'string' ? [value.name] : [];
  return unique([...own, ...Object.entries(value).flatMap(([name, inner]) => secretsNamedIn(inner, name))]);
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].sort((a, b) => (a < b ? -1 : 1));
}

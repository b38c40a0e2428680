import * as z from 'zod';
import type { Session } from './connect.ts';

const Schema = z.object({ schema_version: z.int(), compat_version: z.int() });
const Replica = z.object({
  software_version: z.string(),
  schema_level: z.int(),
  keyring_generation: z.coerce.number(),
});
const Progress = z.object({
  name: z.string(),
  phase: z.enum(['expand', 'contract']),
  done: z.coerce.number(),
  total: z.coerce.number(),
  state: z.enum(['running', 'done', 'failed']),
});
const Backup = z.object({
  backup_id: z.string(),
  place: z.string(),
  upgrade_plan: z.string().nullable(),
  software_version: z.string(),
  schema_version: z.int(),
  taken_at: z.coerce.number(),
  stored_at: z.coerce.number(),
});

/** What a statement asks for before `readServingFacts`: a database without a schema then needs no further one. */
export const SERVES = `to_regclass('ops.replica') is not null as found, to_regclass('ops.backup') is not null as backups,
  floor(extract(epoch from now()) * 1000)::float8 as now`;
export const Serves = z.object({ found: z.boolean(), backups: z.boolean(), now: z.number() });
const SCHEMA = 'select schema_version, compat_version from ops.schema_state';
const LIVE_REPLICAS = `select software_version, schema_level, keyring_generation from ops.replica
  where heartbeat > extract(epoch from now()) * 1000 - 30000 and fenced_at is null limit 1000`;
const PROGRESS = 'select name, phase, done, total, state from ops.migration_progress order by name limit 5000';

/** The newest ones, and those before upgrades, which are the way back. */
const BACKUPS = `with newest as (select * from ops.backup order by stored_at desc limit 20),
    before as (select * from ops.backup where upgrade_plan is not null order by stored_at desc limit 20)
  select backup_id, place, upgrade_plan, software_version, schema_version, taken_at, stored_at
  from (select * from newest union select * from before) b order by stored_at desc`;

/** A backup that was complete in its store. Times in Unix ms by the clock of the database. */
export interface StoredBackup {
  readonly id: string;
  /** Such as `s3://bucket/prefix/`. */
  readonly place: string;
  /** Plan of the upgrade before which it was made. */
  readonly upgradePlan: string | undefined;
  readonly version: string;
  readonly schemaVersion: number;
  /** The moment that it holds. */
  readonly takenAt: number;
  readonly storedAt: number;
}

/** A migration that has begun. */
export type MigrationProgress = z.infer<typeof Progress>;

/** What the homeserver says of itself in schema `ops` of its database. */
export interface ServingFacts {
  /** undefined before the first migration. */
  readonly schema: { readonly schemaVersion: number; readonly compatVersion: number } | undefined;
  readonly migrations: readonly MigrationProgress[];
  /** Replicas that gave a sign of life within 30 s, by the clock of the database. */
  readonly replicas: readonly {
    readonly version: string;
    readonly level: number;
    readonly keyringGeneration: number;
  }[];
  /** The newest 20 and the newest 20 before upgrades, newest first. */
  readonly backups: readonly StoredBackup[];
  /** Unix ms by the clock of the database. */
  readonly now: number;
}

/** Reads the schema state, the migrations, the live replicas and the backups, as far as they are there. */
export async function readServingFacts(
  session: Session,
  { found, backups: hasBackups, now }: z.infer<typeof Serves>,
): Promise<ServingFacts> {
  if (!found) return { schema: undefined, migrations: [], replicas: [], backups: [], now };
  const [state] = await session.query(SCHEMA);
  const migrations = z.array(Progress).parse(await session.query(PROGRESS));
  const rows = await session.query(LIVE_REPLICAS);
  const backups = hasBackups ? (await session.query(BACKUPS)).map(readBackup) : [];
  return { schema: readSchema(state), migrations, replicas: rows.map(readReplica), backups, now };
}

function readBackup(row: unknown): StoredBackup {
  const found = Backup.parse(row);
  return {
    id: found.backup_id,
    place: found.place,
    upgradePlan: found.upgrade_plan ?? undefined,
    version: found.software_version,
    schemaVersion: found.schema_version,
    takenAt: found.taken_at,
    storedAt: found.stored_at,
  };
}

function readSchema(row: unknown): ServingFacts['schema'] {
  if (row === undefined) return undefined;
  const { schema_version: schemaVersion, compat_version: compatVersion } = Schema.parse(row);
  return { schemaVersion, compatVersion };
}

function readReplica(row: unknown): ServingFacts['replicas'][number] {
  const { software_version: version, schema_level: level, keyring_generation: keyringGeneration } = Replica.parse(row);
  return { version, level, keyringGeneration };
}

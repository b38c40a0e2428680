/**
 * ops.schema_state: the one row that says what the database is. Written by migrate alone; read by every start of serve, by
 * migrate and by the operator.
 */
import type { Queryable } from '../database.ts';

export interface SchemaStateRow {
  schema_version: number;
  compat_version: number;
  software_version: string;
  server_name: string;
}

const SELECT_EXISTS = `select to_regclass('ops.schema_state') is not null as found`;
const SELECT = 'select schema_version, compat_version, software_version, server_name from ops.schema_state';

/** What the database is; undefined when nothing has been migrated yet. */
export async function selectSchemaState(db: Queryable): Promise<SchemaStateRow | undefined> {
  const exists = await db.query<{ found: boolean }>({ name: 'schema_state_select_exists', text: SELECT_EXISTS });
  if (exists[0]?.found !== true) return undefined;
  const rows = await db.query<SchemaStateRow>({ name: 'schema_state_select', text: SELECT });
  return rows[0];
}

const SELECT_FOR_SHARE =
  'select schema_version, compat_version, software_version, server_name from ops.schema_state for share';

/** The same inside the transaction that registers a replica: the contract phase waits until that has committed. */
export async function selectSchemaStateForShare(db: Queryable): Promise<SchemaStateRow | undefined> {
  const rows = await db.query<SchemaStateRow>({ name: 'schema_state_select_for_share', text: SELECT_FOR_SHARE });
  return rows[0];
}

const SELECT_FOR_UPDATE =
  'select schema_version, compat_version, software_version, server_name from ops.schema_state for update';

/** The same for the contract phase: nobody registers until its transaction ends. */
export async function selectSchemaStateForUpdate(db: Queryable): Promise<SchemaStateRow | undefined> {
  const rows = await db.query<SchemaStateRow>({ name: 'schema_state_select_for_update', text: SELECT_FOR_UPDATE });
  return rows[0];
}

const UPSERT = `
insert into ops.schema_state (schema_version, compat_version, software_version, server_name) values ($1, $2, $3, $4)
on conflict (singleton) do update set schema_version = greatest(schema_state.schema_version, excluded.schema_version),
  software_version = excluded.software_version`;

/** Notes a finished expand phase; `compatVersion` and `serverName` count for a new database only. */
export async function upsertSchemaState(
  db: Queryable,
  state: { schemaVersion: number; compatVersion: number; softwareVersion: string; serverName: string },
): Promise<void> {
  const values = [state.schemaVersion, state.compatVersion, state.softwareVersion, state.serverName];
  await db.query({ name: 'schema_state_upsert', text: UPSERT, values });
}

const UPDATE_COMPAT =
  'update ops.schema_state set compat_version = greatest(compat_version, $1), software_version = $2';

/** Notes a finished contract phase. */
export async function updateCompatVersion(
  db: Queryable,
  compatVersion: number,
  softwareVersion: string,
): Promise<void> {
  await db.query({ name: 'schema_state_update_compat', text: UPDATE_COMPAT, values: [compatVersion, softwareVersion] });
}

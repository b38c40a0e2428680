-- expand. New tables only, no lock on anything that exists; a few ms. Oldest program that still works: any.
create schema ops;
comment on schema ops is 'What the operator and other programs may read: schema state, migration progress, live replicas.';

create table ops.schema_state (
  singleton bool primary key default true check (singleton),
  schema_version int4 not null,
  compat_version int4 not null,
  software_version text collate "C" not null,
  server_name text collate "C" not null
);
comment on table ops.schema_state is 'One row: what this database is. A program of level L serves if compat_version <= L <= schema_version.';
comment on column ops.schema_state.singleton is 'Always true: there is one row.';
comment on column ops.schema_state.schema_version is 'Highest level whose expand phase is complete.';
comment on column ops.schema_state.compat_version is 'Lowest level that a program may have; raised by the contract phase.';
comment on column ops.schema_state.software_version is 'Version of the program that migrated last.';
comment on column ops.schema_state.server_name is 'Matrix server name that all ids in this database belong to; never changes.';

create table ops.migrations (
  name text collate "C" primary key,
  phase text collate "C" not null check (phase in ('expand', 'contract')),
  checksum text collate "C" not null,
  at int8 not null
);
comment on table ops.migrations is 'One row for each migration file that has been applied, written in the transaction of the file.';
comment on column ops.migrations.name is 'File name, such as 0001-ops.sql.';
comment on column ops.migrations.phase is 'expand or contract.';
comment on column ops.migrations.checksum is 'SHA-256 of the file, hex. A released file is never edited.';
comment on column ops.migrations.at is 'Unix ms at which it was applied.';

create table ops.migration_progress (
  name text collate "C" primary key,
  phase text collate "C" not null check (phase in ('expand', 'contract')),
  cursor int8 not null default 0,
  done int8 not null default 0,
  total int8 not null default 0,
  state text collate "C" not null check (state in ('running', 'done', 'failed'))
);
comment on table ops.migration_progress is 'How far the running or newest migration is: one row for each file or backfill.';
comment on column ops.migration_progress.name is 'Name of the file or of the backfill.';
comment on column ops.migration_progress.phase is 'expand or contract.';
comment on column ops.migration_progress.cursor is 'Last primary key that a backfill has handled; 0 for a file.';
comment on column ops.migration_progress.done is 'Rows handled, or 1 for a file that is applied.';
comment on column ops.migration_progress.total is 'Rows to handle as estimated at the start, 1 for a file.';
comment on column ops.migration_progress.state is 'running, done or failed.';

create table ops.replica (
  replica_no int4 generated always as identity primary key,
  id text collate "C" not null,
  software_version text collate "C" not null,
  schema_level int4 not null,
  keyring_generation int8 not null default 0,
  active_key_id text collate "C",
  last_signed_ts jsonb not null default '{}',
  clock int8 not null,
  heartbeat int8 not null,
  fenced_at int8,
  backend_tag text collate "C" not null
);
comment on table ops.replica is 'One row for each process that serves. Dead when the heartbeat is older than 30 s; deleted one day later.';
comment on column ops.replica.replica_no is 'Number of the process, new at every start.';
comment on column ops.replica.id is 'Random id of the process, for logs.';
comment on column ops.replica.software_version is 'Version of the program.';
comment on column ops.replica.schema_level is 'Schema level of the program.';
comment on column ops.replica.keyring_generation is 'Generation of the keyring file in use; 0 before the first report.';
comment on column ops.replica.active_key_id is 'Id of the key that signs; null before the first report.';
comment on column ops.replica.last_signed_ts is 'Key id -> Unix ms of the newest signature by this process.';
comment on column ops.replica.clock is 'Unix ms by the clock of the process at its last heartbeat.';
comment on column ops.replica.heartbeat is 'Unix ms by the clock of the database at the last heartbeat, every 5 s.';
comment on column ops.replica.fenced_at is 'Unix ms since when the process may write no more; null while it may.';
comment on column ops.replica.backend_tag is 'application_name of all database sessions of the process, so that a fenced one can be ended.';
create index replica_heartbeat on ops.replica (heartbeat);

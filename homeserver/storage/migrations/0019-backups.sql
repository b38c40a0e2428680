-- expand. New table only; a few ms. Oldest program that still works: any.
create table ops.backup (
  backup_id text collate "C" primary key,
  place text collate "C" not null,
  upgrade_plan text collate "C",
  software_version text collate "C" not null,
  schema_version int4 not null,
  compat_version int4 not null,
  taken_at int8 not null,
  stored_at int8 not null
);
comment on table ops.backup is 'One row for each backup that was found complete in its store; it goes when the backup is deleted.';
comment on column ops.backup.backup_id is 'Its id, such as 20261128T021500Z-1a2b3c4d5e.';
comment on column ops.backup.place is 'The store, such as s3://bucket/prefix/.';
comment on column ops.backup.upgrade_plan is 'Id of the plan of the upgrade before which it was made; null for all others.';
comment on column ops.backup.software_version is 'Version of the program that made it.';
comment on column ops.backup.schema_version is 'schema_version of what it holds.';
comment on column ops.backup.compat_version is 'compat_version of what it holds.';
comment on column ops.backup.taken_at is 'Unix ms by the clock of the database: the moment that it holds.';
comment on column ops.backup.stored_at is 'Unix ms by the clock of the database at which all of it was in the store.';

-- expand. New tables only, no lock on anything that exists; a few ms. Oldest program that still works: any, but one without
-- these tables signs with an old keyring for longer than the operator may know.
create table ops.keyring_floor (
  singleton bool primary key default true check (singleton),
  generation int8 not null,
  at int8 not null
);
comment on table ops.keyring_floor is 'One row, raised by the operator: a process with an older keyring signs nothing from its next heartbeat on.';
comment on column ops.keyring_floor.singleton is 'Always true: there is one row.';
comment on column ops.keyring_floor.generation is 'Lowest generation of the keyring file with which a process may sign; only grows.';
comment on column ops.keyring_floor.at is 'Unix ms by the clock of the database of the newest raise; 0 before the first.';
insert into ops.keyring_floor (generation, at) values (0, 0);

create table ops.last_signed (
  key_id text collate "C" primary key,
  ts int8 not null
);
comment on table ops.last_signed is 'One row for each key that a process which has ended had signed with.';
comment on column ops.last_signed.key_id is 'Id of the key.';
comment on column ops.last_signed.ts is 'Unix ms of the newest signature by any process whose row in ops.replica is gone.';

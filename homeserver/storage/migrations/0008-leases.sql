-- expand. New table only; a few ms. Oldest program that still works: any.
create table leases (
  name text collate "C" primary key,
  holder int4 not null,
  fence int8 not null,
  until int8 not null
);
comment on table leases is 'A named piece of background work and who may do it now.';
comment on column leases.name is 'Name of the work.';
comment on column leases.holder is 'Replica that holds it.';
comment on column leases.fence is 'Grows whenever the holder changes; a write under an older fence is refused.';
comment on column leases.until is 'Unix ms by the clock of the database until which it is held.';
create index leases_until on leases (until);

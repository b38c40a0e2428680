-- expand. New table, and an index of a table with a row for each merge of branches; a few ms. Oldest program that still works: any.
create table unnamed_snapshots (
  snapshot int8 primary key,
  room_no int8 not null,
  at int8 not null
);
comment on table unnamed_snapshots is 'A snapshot that nothing named when it was stored or looked at last. Whoever stores a snapshot by itself, or takes away what names one, writes a row; a leased job takes it out again, with the snapshot if still nothing names it.';
comment on column unnamed_snapshots.snapshot is 'The snapshot.';
comment on column unnamed_snapshots.room_no is 'Its room.';
comment on column unnamed_snapshots.at is 'Unix ms at which it was stored or looked at last.';
create index unnamed_snapshots_at on unnamed_snapshots (at);
create index merged_states_snapshot on merged_states (snapshot);

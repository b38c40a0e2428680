-- expand. New tables only; a few ms. Oldest program that still works: any.
create sequence snapshot_numbers as int8 increment by 1000;
comment on sequence snapshot_numbers is 'Snapshot numbers, handed out in blocks of 1000 to a replica; order and gaps mean nothing.';

create table snapshots (
  snapshot int8 primary key,
  room_no int8 not null,
  base int8 not null,
  ordinal int4 not null,
  keys int8[] not null,
  events int8[] not null,
  members int8[] not null,
  member_events int8[] not null
);
comment on table snapshots is 'State of a room at a moment, as the difference to a base. Immutable.';
comment on column snapshots.snapshot is 'Its number.';
comment on column snapshots.room_no is 'The room.';
comment on column snapshots.base is 'Snapshot that this one differs from; 0: this one is complete.';
comment on column snapshots.ordinal is 'State changes since the first snapshot along its line; the base rule counts with it.';
comment on column snapshots.keys is 'State key numbers that differ, without members, ascending.';
comment on column snapshots.events is 'The event of each key; 0: the key is absent.';
comment on column snapshots.members is 'User numbers whose membership differs, ascending.';
comment on column snapshots.member_events is 'The m.room.member event of each user; 0: absent.';
create index snapshots_room on snapshots (room_no);

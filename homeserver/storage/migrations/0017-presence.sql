-- expand. New table only; a few ms. Oldest program that still works: any.
create table presence (
  user_no int8 primary key,
  state int2 not null default 3,
  status_msg text collate "C",
  last_active_at int8 not null default 0,
  currently_active bool not null default false,
  changed_at int8 not null default 0,
  due_at int8,
  devices int8[] not null default '{}',
  declared int2[] not null default '{}',
  untils int8[] not null default '{}'
) with (fillfactor = 70);
comment on table presence is 'Presence of a local user who has ever shown any. All times are of the clock of the database.';
comment on column presence.user_no is 'The user.';
comment on column presence.state is 'What others are told: 1 online, 2 unavailable, 3 offline.';
comment on column presence.status_msg is 'Status message that the user has set; null: none.';
comment on column presence.last_active_at is 'Unix ms of the last thing that the user did; 0: never.';
comment on column presence.currently_active is 'Whether others are told that the user is active now.';
comment on column presence.changed_at is 'Unix ms at which what others are told changed last; 0: never.';
comment on column presence.due_at is 'Unix ms at which time alone changes it (idle, gone); null: never.';
comment on column presence.devices is 'Numbers of the devices that count.';
comment on column presence.declared is 'What each of them says of itself: 1 online, 2 unavailable.';
comment on column presence.untils is 'Unix ms up to which each of them counts without being heard of.';
create index presence_changes on presence (changed_at);
create index presence_due on presence (due_at) where due_at is not null;

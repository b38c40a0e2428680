-- expand. New tables, and a column without a default: access exclusive lock on memberships for a few ms. Oldest program that
-- still works: any.
create table push_rules (
  user_no int8 primary key,
  position int8 not null,
  rules text collate "C" not null
);
comment on table push_rules is 'What a local user has changed of the push rules: own rules, and settings of the predefined ones.';
comment on column push_rules.user_no is 'The user.';
comment on column push_rules.position is 'Place in the stream of the last change.';
comment on column push_rules.rules is 'The changes as JSON text.';

create table push_counters (
  user_no int8 not null,
  room_no int8 not null,
  counted_to int8 not null,
  counts text collate "C" not null,
  primary key (user_no, room_no)
) with (fillfactor = 80);
comment on table push_counters is 'Unread notifications of a user in a room as counted once, so that nobody counts from the beginning each time. Can be lost: readers count again.';
comment on column push_counters.user_no is 'The user.';
comment on column push_counters.room_no is 'The room.';
comment on column push_counters.counted_to is 'Every event up to this position is counted. Void once a receipt of the user in the room, the push rules, the ignored users or the join are newer.';
comment on column push_counters.counts is 'JSON object: thread (main or the id of its root) to [notifications, highlights]; threads with none are missing.';

alter table memberships add column joined_at int8;
comment on column memberships.joined_at is 'Position at which the newest stay began; null: written before this column was there, position stands for it.';

comment on column events.flags is 'Bits: 1 outlier, 2 rejected, 4 soft-failed, 8 json is the redacted form, 16 state, 32 countable, 64 plain: what the default push rules say of it follows from type and countable alone.';

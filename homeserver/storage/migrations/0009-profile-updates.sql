-- expand. New table only; a few ms. Oldest program that still works: any.
create table profile_updates (
  user_no int8 primary key,
  version int8 not null,
  room_no int8 not null default 0,
  claimed_until int8 not null default 0,
  attempts int4 not null default 0
);
comment on table profile_updates is 'A changed profile that has not yet reached every joined room; deleted when it has.';
comment on column profile_updates.user_no is 'The user whose profile changed.';
comment on column profile_updates.version is 'Microseconds of the change, never the same twice, so that a change during the work starts it again.';
comment on column profile_updates.room_no is 'Rooms up to and including this number have the profile.';
comment on column profile_updates.claimed_until is 'Unix ms by the clock of the database until which a replica works on it, or waits after a failure.';
comment on column profile_updates.attempts is 'Failures in a row.';
create index profile_updates_due on profile_updates (claimed_until);

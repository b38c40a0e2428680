-- expand. New tables only; a few ms. Filled by serving replicas. Oldest program that still works: any.
create table user_directory (
  user_no int8 primary key,
  local_key text collate "C" not null,
  name_key text collate "C" not null,
  display_name text collate "C",
  avatar_url text collate "C",
  words tsvector not null
);
comment on table user_directory is 'What the user directory knows of an account; written with the profile, and checked account by account now and then.';
comment on column user_directory.user_no is 'The user.';
comment on column user_directory.local_key is 'Localpart as it is compared: small letters without marks.';
comment on column user_directory.name_key is 'Display name as it is compared; empty: none.';
comment on column user_directory.display_name is 'Display name; null: none.';
comment on column user_directory.avatar_url is 'mxc:// URI of the avatar; null: none.';
comment on column user_directory.words is 'Words of both keys, which searches match from their beginning.';
create index user_directory_words on user_directory using gin (words);

create table user_directory_progress (
  singleton bool primary key default true check (singleton),
  user_no int8 not null,
  finished_at int8 not null
);
comment on table user_directory_progress is 'How far the check of user_directory against accounts and profiles has come; locked by whoever goes on.';
comment on column user_directory_progress.singleton is 'There is one row.';
comment on column user_directory_progress.user_no is 'Accounts up to and including this number are checked in this round.';
comment on column user_directory_progress.finished_at is 'Unix ms by the clock of the database at which the last whole round ended; 0: never.';
insert into user_directory_progress (user_no, finished_at) values (0, 0);

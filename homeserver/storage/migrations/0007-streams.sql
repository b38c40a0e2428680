-- expand. New tables only; a few ms. Oldest program that still works: any.
create table commits (
  position int8 primary key,
  first_position int8 not null,
  previous int8 not null,
  batch int8 not null,
  at int8 not null,
  server_start int8 not null,
  replica int4 not null,
  rooms int8[] not null,
  users int8[] not null,
  refused int8[] not null
);
comment on table commits is 'A finished batch: head of the stream, record for retries, feed for caches. Kept one hour, the newest for ever.';
comment on column commits.position is 'Last position of the batch.';
comment on column commits.first_position is 'First position of the batch.';
comment on column commits.previous is 'Position of the batch before; 0: the first.';
comment on column commits.batch is 'Number of the batch, counted by its replica from 1.';
comment on column commits.at is 'Unix ms by the clock of the database.';
comment on column commits.server_start is 'Start of the database server, Unix microseconds; another value means that a tail may be lost.';
comment on column commits.replica is 'Replica that wrote it; 0 for after-restore.';
comment on column commits.rooms is 'Rooms in which something visible changed.';
comment on column commits.users is 'Users whose memberships or own data changed.';
comment on column commits.refused is 'Rooms that the batch asked for and that were refused.';
create unique index commits_batch on commits (replica, batch);

create table transactions (
  device_no int8 not null,
  room_no int8 not null,
  type_no int4 not null,
  txn_id text collate "C" not null,
  event_no int8 not null,
  at int8 not null,
  primary key (device_no, room_no, type_no, txn_id)
);
comment on table transactions is 'Transaction id of a send, so that a repeated one gives the same event. Kept 48 hours.';
comment on column transactions.device_no is 'Device that sent it.';
comment on column transactions.room_no is 'Room that it was sent to; the request path is part of what makes a transaction.';
comment on column transactions.type_no is 'Event type, as above.';
comment on column transactions.txn_id is 'Transaction id as the client chose it.';
comment on column transactions.event_no is 'The event that came of it.';
comment on column transactions.at is 'Unix ms by the clock of the database.';
create index transactions_event on transactions (event_no);
create index transactions_at on transactions (at);

create table receipts (
  room_no int8 not null,
  user_no int8 not null,
  kind int2 not null,
  thread text collate "C" not null,
  event_no int8 not null,
  position int8 not null,
  ts int8 not null,
  primary key (room_no, user_no, kind, thread)
) with (fillfactor = 80);
comment on table receipts is 'Newest receipt of a user in a room and thread.';
comment on column receipts.room_no is 'The room.';
comment on column receipts.user_no is 'The user.';
comment on column receipts.kind is '1 m.read, 2 m.read.private, 3 m.fully_read.';
comment on column receipts.thread is 'Empty: not threaded; main; or the event id of the thread root.';
comment on column receipts.event_no is 'Event that was read.';
comment on column receipts.position is 'Place in the stream.';
comment on column receipts.ts is 'Unix ms at which it was sent.';
create index receipts_changes on receipts (room_no, position);

create table account_data (
  user_no int8 not null,
  room_no int8 not null,
  type text collate "C" not null,
  position int8 not null,
  content text collate "C" not null,
  primary key (user_no, room_no, type)
);
comment on table account_data is 'One key of the account data of a local user.';
comment on column account_data.user_no is 'The user.';
comment on column account_data.room_no is 'The room; 0: global.';
comment on column account_data.type is 'Event type of the key.';
comment on column account_data.position is 'Place in the stream.';
comment on column account_data.content is 'Content as JSON text.';
create index account_data_changes on account_data (user_no, position);

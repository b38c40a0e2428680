-- expand. New table only; a few ms. Oldest program that still works: any.
create table server_notice_rooms (
  user_no int8 primary key,
  room_no int8 not null unique
);
comment on table server_notice_rooms is 'The room in which the server talks to a user.';
comment on column server_notice_rooms.user_no is 'The user.';
comment on column server_notice_rooms.room_no is 'The room; its number is taken before it is made.';

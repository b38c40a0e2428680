-- expand. New tables only; a few ms. Oldest program that still works: any.
create sequence room_numbers as int8 increment by 1000;
comment on sequence room_numbers is 'Room numbers, handed out in blocks of 1000 to a replica.';

create table rooms (
  room_no int8 primary key,
  room_id text collate "C" not null unique,
  version int2 not null,
  snapshot int8 not null,
  tips int8[] not null,
  last_position int8 not null,
  bump_position int8 not null,
  joined int4 not null default 0,
  invited int4 not null default 0,
  flags int4 not null default 0
) with (fillfactor = 70);
comment on table rooms is 'A room that we know.';
comment on column rooms.room_no is 'Its number.';
comment on column rooms.room_id is 'Matrix room id.';
comment on column rooms.version is 'Room version.';
comment on column rooms.snapshot is 'Snapshot of the current state; compared and swapped by every batch.';
comment on column rooms.tips is 'Event numbers of the forward extremities, at most 10.';
comment on column rooms.last_position is 'Position of the newest event.';
comment on column rooms.bump_position is 'Position of the newest event that moves the room up in a list by recency.';
comment on column rooms.joined is 'Users that are joined.';
comment on column rooms.invited is 'Users that are invited.';
comment on column rooms.flags is 'Reserved for bits that describe the room; 0.';

create table current_state (
  room_no int8 not null,
  state_key_no int8 not null,
  event_no int8 not null,
  position int8 not null,
  primary key (room_no, state_key_no)
);
comment on table current_state is 'Current state of a room without its members.';
comment on column current_state.room_no is 'The room.';
comment on column current_state.state_key_no is 'Number of the pair (event type, state key).';
comment on column current_state.event_no is 'The event that holds.';
comment on column current_state.position is 'Position at which it came to hold.';
create index current_state_key on current_state (state_key_no, room_no);

create table memberships (
  room_no int8 not null,
  user_no int8 not null,
  event_no int8 not null,
  position int8 not null,
  membership int2 not null,
  flags int2 not null default 0,
  primary key (room_no, user_no)
) with (fillfactor = 80);
comment on table memberships is 'Newest membership of a user in a room.';
comment on column memberships.room_no is 'The room.';
comment on column memberships.user_no is 'The user.';
comment on column memberships.event_no is 'The m.room.member event that holds; with membership 0 the one that held last.';
comment on column memberships.position is 'Position at which it came to hold, or with membership 0 ceased to.';
comment on column memberships.membership is '1 join, 2 invite, 3 leave, 4 ban, 5 knock; 0: the state of the room has none any more, as branches that met took it away.';
comment on column memberships.flags is 'Bits: 1 forgotten by the user, until there is an invite, a knock or a join; 2 known to us by invite only; 4 its history is forgotten, until there is a join.';
create index memberships_user on memberships (user_no, membership, room_no) include (position);
create index memberships_changes on memberships (room_no, position);

create table room_servers (
  room_no int8 not null,
  server_no int4 not null,
  joined int4 not null,
  primary key (room_no, server_no)
);
comment on table room_servers is 'A server with joined users in a room; deleted when the last one leaves.';
comment on column room_servers.room_no is 'The room.';
comment on column room_servers.server_no is 'The server.';
comment on column room_servers.joined is 'How many of its users are joined.';
create index room_servers_server on room_servers (server_no);

create table aliases (
  alias text collate "C" primary key,
  room_no int8 not null,
  creator_no int8 not null,
  created_at int8 not null
);
comment on table aliases is 'A room alias of this server.';
comment on column aliases.alias is 'The alias, #name:server.';
comment on column aliases.room_no is 'Room that it leads to.';
comment on column aliases.creator_no is 'User who made it.';
comment on column aliases.created_at is 'Unix ms at which it was made.';
create index aliases_room on aliases (room_no);

create table published_rooms (
  room_no int8 not null,
  network text collate "C" not null,
  primary key (room_no, network)
);
comment on table published_rooms is 'A room in the public directory.';
comment on column published_rooms.room_no is 'The room.';
comment on column published_rooms.network is 'Third-party network of an application service; empty for the main directory.';

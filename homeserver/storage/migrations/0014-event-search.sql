-- expand. New tables only; a few ms. Filled by serving replicas. Oldest program that still works: any.
create table event_search (
  event_no int8 primary key,
  room_no int8 not null,
  position int8 not null,
  kind int2 not null,
  document tsvector not null
);
comment on table event_search is 'Words of an event that can be searched for. Filled behind the writers, from position to position.';
comment on column event_search.event_no is 'The event.';
comment on column event_search.room_no is 'Its room.';
comment on column event_search.position is 'Its position.';
comment on column event_search.kind is '1 body of a message, 2 name of the room, 3 topic of the room.';
comment on column event_search.document is 'The words, and the number of the room behind the character U+0001 so that a search touches its own rooms only.';
create index event_search_document on event_search using gin (document);

create table search_progress (
  singleton bool primary key default true check (singleton),
  position int8 not null
);
comment on table search_progress is 'How far event_search has come; its row is locked by whoever goes on.';
comment on column search_progress.singleton is 'There is one row.';
comment on column search_progress.position is 'Everything up to this position is in event_search.';
insert into search_progress (position) values (0);

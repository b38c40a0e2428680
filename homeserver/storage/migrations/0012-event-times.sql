-- no transaction
-- expand. Builds an index beside the writers, 1.4 s for 1 million events; may be repeated. Oldest program that still works: any.
drop index concurrently if exists events_times;
create index concurrently events_times on events (room_no, ts) where anchor is not null;
comment on index events_times is 'Events of a room by the time that their senders claim, for timestamp_to_event.';

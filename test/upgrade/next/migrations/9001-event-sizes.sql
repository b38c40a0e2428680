-- expand. A table and a trigger on events that fills it for programs that do not know of it; milliseconds, SHARE ROW
-- EXCLUSIVE on events. Oldest program that still works: any. Part of the next version that tests make.
create table event_sizes (
  event_no int8 primary key,
  size int4 not null
);
create function note_event_size() returns trigger language plpgsql as $$
begin
  insert into public.event_sizes values (new.event_no, octet_length(new.json)) on conflict do nothing;
  return null;
end
$$;
create trigger note_event_size after insert on events for each row execute function note_event_size();

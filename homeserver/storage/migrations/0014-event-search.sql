-- expand. New tables and a function only; a few ms. Filled by serving replicas. Oldest program that still works: any.
create table event_search (
  position int8 primary key,
  room_no int8 not null,
  kind int2 not null
);
comment on table event_search is 'An event that can be searched for. Filled behind the writers, from position to position; its words are in the index only.';
comment on column event_search.position is 'Position of the event.';
comment on column event_search.room_no is 'Its room.';
comment on column event_search.kind is '1 body of a message, 2 name of the room, 3 topic of the room, 4 the same with a plain text beside it that says something else.';

-- Not immutable to the letter: it reads another table. But the text of an event never changes while its row of event_search stands:
-- redacting takes the row away first. Names are written out, since an index is built with an empty search path. Escapes of control
-- characters become spaces: U+0000 among them cannot be text here.
create function event_words(p_position int8, p_room_no int8, p_kind int2) returns tsvector
language plpgsql immutable strict cost 1000
as $$
declare
  v_json text;
  v_content json;
  v_text text;
begin
  select e.json into v_json from public.events e where e.position = p_position;
  if v_json like '%\\u%' then
    v_json := pg_catalog.regexp_replace(v_json, '(?<!\\)((?:\\\\)*)\\u[0-9a-fA-F]{4}', '\1 ', 'g');
  end if;
  v_content := v_json::json -> 'content';
  v_text := v_content ->> case p_kind when 1 then 'body' when 2 then 'name' else 'topic' end;
  if p_kind = 4 then
    v_text := pg_catalog.concat_ws(' ', v_text, (
      select t ->> 'body' from pg_catalog.json_array_elements(v_content -> 'm.topic' -> 'm.text') t
      where pg_catalog.json_typeof(t) = 'object' and coalesce(t ->> 'mimetype', 'text/plain') = 'text/plain' limit 1
    ));
  end if;
  return pg_catalog.to_tsvector('pg_catalog.simple', coalesce(v_text, ''))
    || pg_catalog.array_to_tsvector(array[pg_catalog.chr(1) || p_room_no::text]);
end
$$;
comment on function event_words is 'Words of an event, and the number of its room behind the character U+0001 so that a search touches its own rooms only.';
create index event_search_words on event_search using gin (event_words(position, room_no, kind)) with (gin_pending_list_limit = 512);
-- No plan looks at which words are frequent; to find out would mean to read 30,000 events at each analyze.
alter index event_search_words alter column 1 set statistics 0;
comment on index event_search_words is 'Words of events. The pending list is kept short: its pages are never given back.';

create table search_progress (
  singleton bool primary key default true check (singleton),
  position int8 not null
);
comment on table search_progress is 'How far event_search has come; its row is locked by whoever goes on.';
comment on column search_progress.singleton is 'There is one row.';
comment on column search_progress.position is 'Everything up to this position is in event_search.';
insert into search_progress (position) values (0);

-- batches over events
-- expand. The sizes of the events that were there before; no locks but on rows. Oldest program that still works: any.
with page as (select event_no, octet_length(json) as size from events where event_no > $1 order by event_no limit $2),
  filled as (insert into event_sizes select event_no, size from page on conflict do nothing)
select max(event_no)::int8 as last, count(*)::int8 as count from page;

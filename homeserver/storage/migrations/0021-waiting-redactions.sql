-- expand. New table only; a few ms. Oldest program that still works: any.
create table waiting_redactions (
  redacted_event_id text collate "C" not null,
  event_no int8 not null,
  primary key (redacted_event_id, event_no)
);
comment on table waiting_redactions is 'A redaction that holds if its target turns out to be of the same server: it came before the target.';
comment on column waiting_redactions.redacted_event_id is 'Id of the event that it names, not known to us when it came.';
comment on column waiting_redactions.event_no is 'The m.room.redaction event.';

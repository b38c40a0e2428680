-- expand. New table only; a few ms. Oldest program that still works: any.
create table merged_states (
  event_no int8 primary key,
  snapshot int8 not null
);
comment on table merged_states is 'State of the room from an event of the timeline on, where that is not the state after the event: branches meet in it.';
comment on column merged_states.event_no is 'The event.';
comment on column merged_states.snapshot is 'Snapshot of the room''s state once the event was there.';

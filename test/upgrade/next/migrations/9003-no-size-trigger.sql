-- contract. The trigger, which only programs before this version need; milliseconds, ACCESS EXCLUSIVE on events.
drop trigger note_event_size on events;
drop function note_event_size();

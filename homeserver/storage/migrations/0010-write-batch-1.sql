-- expand. New function only; a few ms. Oldest program that still works: any. Used by level 1, dropped by the contract phase
-- of the level that brings write_batch_2.
--
-- Writes one batch in the one transaction that its call is. All data is here before the lock is taken, so no caller can hold
-- it while being slow or stopped. It compares, numbers and inserts; the rules of rooms are not its business.
-- `..._at` counts into the event arrays from 1; 0: none of this batch. Arrays inside arrays travel as text, '{1,2}'.
-- The join settings keep every look-up an index look-up, also with plans made while the tables were small.
-- Writes of own data may say on what they were built (`expected`: position of the row, 0 for none), and are refused when that has
-- changed. Entries of `refused` below 0 are such writes: -1 is the first of p_streams.
create function write_batch_1(
  p_replica int4, p_batch int8, p_server_start int8,
  r_no int8[], r_id text[], r_version int2[], r_expected int8[], r_snapshot int8[], r_known text[], r_exact bool[],
  r_used text[], r_tips text[], r_last_at int4[], r_bump_at int4[],
  e_no int8[], e_room int8[], e_sender int8[], e_before int8[], e_after int8[], e_ts int8[], e_depth int8[],
  e_key int8[], e_type int4[], e_flags int4[], e_id text[], e_json text[],
  x_at int4[], x_outlier bool[], g_at int4[], g_snapshot int8[],
  a_at int4[], a_auth text[],
  l_at int4[], l_type int2[], l_parent text[], l_key text[],
  d_at int4[], d_redacts text[], d_own bool[],
  t_at int4[], t_device int8[], t_txn text[],
  c_room int8[], c_key int8[], c_event int8[], c_at int4[],
  m_room int8[], m_user int8[], m_event int8[], m_at int4[], m_membership int2[], m_flags int2[],
  s_no int8[], s_room int8[], s_base int8[], s_ordinal int4[], s_keys text[], s_events text[], s_members text[],
  s_member_events text[],
  p_streams jsonb,
  out first_position int8, out last_position int8, out previous int8, out server_start int8,
  out changed_rooms int8[], out changed_users int8[], out refused int8[], out positions int8[],
  out duplicate_at int4[], out duplicate_id text[]
)
language plpgsql volatile
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_start int8 := (extract(epoch from pg_postmaster_start_time()) * 1000000)::int8;
  v_now int8;
  v_done commits%rowtype;
  v_head commits%rowtype;
  v_base int8;
  v_events int8;
  v_streams int4 := jsonb_array_length(p_streams);
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'write_batch runs in read committed only' using errcode = 'MX002';
  end if;

  -- 1. One batch at a time; the commit itself releases the lock. The first statement that can wait.
  perform pg_advisory_xact_lock(7001);

  -- Transactions that were there before, whoever wrote them.
  select coalesce(array_agg(x.at), '{}'), coalesce(array_agg(e.event_id), '{}') into duplicate_at, duplicate_id
  from unnest(t_at, t_device, t_txn) x (at, device, txn)
  join transactions t on t.device_no = x.device and t.room_no = e_room[x.at] and t.type_no = e_type[x.at] and t.txn_id = x.txn
  join events e on e.event_no = t.event_no
  where t.event_no <> e_no[x.at];

  -- 2. A repeated call gets the result of the one that committed.
  select * into v_done from commits c where c.replica = p_replica and c.batch = p_batch;
  if found then
    first_position := v_done.first_position;
    last_position := v_done.position;
    previous := v_done.previous;
    server_start := v_done.server_start;
    changed_rooms := v_done.rooms;
    changed_users := v_done.users;
    refused := v_done.refused;
    select coalesce(array_agg(coalesce(e.position, 0) order by w.i), '{}') into positions
    from unnest(e_no) with ordinality w (no, i) left join events e on e.event_no = w.no;
    return;
  end if;

  -- 3. A replica that the schema has left behind writes nothing more.
  perform from ops.replica o where o.replica_no = p_replica and o.fenced_at is null;
  if not found then
    raise exception 'replica % is fenced or unknown', p_replica using errcode = 'MX001';
  end if;

  -- What it was built on may be lost since: after a failover the numbers in it may belong to others.
  if p_server_start <> v_start then
    raise exception 'the batch was built before another start of the server' using errcode = 'MX003', detail = v_start::text;
  end if;

  -- 4. Another start of the server may mean that the newest commits are lost: their positions are never used again.
  select * into v_head from commits c order by c.position desc limit 1;
  previous := coalesce(v_head.position, 0);
  server_start := v_start;
  v_base := previous;
  if v_head.server_start <> v_start then
    v_base := (v_base / 1000000000 + 1) * 1000000000;
  end if;

  -- 5. Compare the rooms' state with what the events were built on. Tips that the caller did not know of may stand beside its
  -- own only where that cannot change the state: they have the same one, and the caller changes nothing.
  select coalesce(array_agg(w.no), '{}') into refused
  from unnest(r_no, r_id, r_expected, r_known, r_exact) w (no, id, expected, known, exact)
  left join rooms r on r.room_no = w.no
  where case when w.id is null then r.snapshot is distinct from w.expected
      or exists (select from unnest(r.tips) t (tip) where t.tip <> all(w.known::int8[])
        and (w.exact or (select e.state_after from events e where e.event_no = t.tip) is distinct from w.expected))
    else r.room_no is not null or exists (select from rooms o where o.room_id = w.id) end
  or exists (select from unnest(duplicate_at) x (at) where e_room[x.at] = w.no);

  -- An event that other servers send may have come to another replica as well.
  if cardinality(x_at) > 0 then
    select refused || coalesce(array_agg(e_room[x.at]), '{}') into refused
    from unnest(x_at, x_outlier) x (at, outlier) left join events e on e.event_id = e_id[x.at]
    where case when x.outlier then e.event_no is distinct from e_no[x.at] or e.flags & 1 = 0 else e.event_no is not null end
      and e_room[x.at] <> all(refused);
  end if;

  -- Own data that was changed since it was read; of several such writes in one batch the first one counts.
  if p_streams @? '$[*].expected' then
    refused := refused || array(
      select -w.i from jsonb_array_elements(p_streams) with ordinality w (v, i)
      where w.v ? 'expected' and (
        (w.v->>'expected')::int8 <> case w.v->>'kind'
          when 'push_rules' then coalesce((select r.position from push_rules r where r.user_no = (w.v->>'user')::int8), 0)
          else coalesce((select a.position from account_data a where a.user_no = (w.v->>'user')::int8
            and a.room_no = (w.v->>'room')::int8 and a.type = w.v->>'type'), 0) end
        or exists (
          select from jsonb_array_elements(p_streams) with ordinality o (v, i)
          where o.i < w.i and o.v->>'kind' = w.v->>'kind' and o.v->>'user' = w.v->>'user'
            and o.v->>'room' is not distinct from w.v->>'room' and o.v->>'type' is not distinct from w.v->>'type'
        )
      )
    );
  end if;

  -- Positions in the order of the arrays, 0 for what is refused.
  select coalesce(array_agg(case when w.room = any(refused) then 0 else v_base + w.n end order by w.i), '{}'),
    coalesce(max(w.n), 0) into positions, v_events
  from (
    select u.room, u.i, count(*) filter (where u.room <> all(refused)) over (order by u.i) as n
    from unnest(e_room) with ordinality u (room, i)
  ) w;
  if v_events + v_streams = 0 then
    first_position := previous;
    last_position := previous;
    changed_rooms := '{}';
    changed_users := '{}';
    return;
  end if;
  first_position := v_base + 1;
  last_position := v_base + v_events + v_streams;
  v_now := (extract(epoch from clock_timestamp()) * 1000)::int8;

  -- 6. Write.
  insert into rooms (room_no, room_id, version, snapshot, tips, last_position, bump_position)
  select w.no, w.id, w.version, w.snapshot, w.tips::int8[], positions[w.last_at], positions[w.last_at]
  from unnest(r_no, r_id, r_version, r_snapshot, r_tips, r_last_at) w (no, id, version, snapshot, tips, last_at)
  where w.id is not null and w.no <> all(refused);

  -- Tips that another replica added on the same state stay; the newest 10 are kept.
  update rooms r set snapshot = w.snapshot,
    tips = array(
      select t.tip from (
        select u.tip, u.i from unnest(
          array(select p.tip from unnest(r.tips) with ordinality p (tip, i) where p.tip <> all(w.used::int8[]) order by p.i)
          || w.tips::int8[]
        ) with ordinality u (tip, i) order by u.i desc limit 10
      ) t order by t.i
    ),
    last_position = case when w.last_at > 0 then positions[w.last_at] else r.last_position end,
    bump_position = case when w.bump_at > 0 then positions[w.bump_at] else r.bump_position end
  from unnest(r_no, r_id, r_snapshot, r_used, r_tips, r_last_at, r_bump_at) w (no, id, snapshot, used, tips, last_at, bump_at)
  where r.room_no = w.no and w.id is null and w.no <> all(refused);

  insert into events (event_no, position, anchor, room_no, sender_no, state_before, state_after, ts, depth, state_key_no,
    type_no, flags, event_id, json)
  select e.no, positions[e.i::int4], positions[e.i::int4], e.room, e.sender, e.before, e.after, e.ts, e.depth, e.key, e.type,
    e.flags, e.id, e.json
  from unnest(e_no, e_room, e_sender, e_before, e_after, e_ts, e_depth, e_key, e_type, e_flags, e_id, e_json)
    with ordinality e (no, room, sender, before, after, ts, depth, key, type, flags, id, json, i)
  where positions[e.i::int4] > 0
    and (cardinality(x_at) = 0 or not exists (select from unnest(x_at, x_outlier) x (at, outlier) where x.at = e.i and x.outlier));

  -- What was known without its state gets its place.
  if cardinality(x_at) > 0 then
    update events e set position = positions[x.at], anchor = positions[x.at], state_before = e_before[x.at],
      state_after = e_after[x.at], flags = e_flags[x.at], json = e_json[x.at]
    from unnest(x_at, x_outlier) x (at, outlier) where e.event_no = e_no[x.at] and x.outlier and positions[x.at] > 0;
  end if;

  if cardinality(g_at) > 0 then
    insert into merged_states (event_no, snapshot)
    select e_no[g.at], g.snapshot from unnest(g_at, g_snapshot) g (at, snapshot) where positions[g.at] > 0;
  end if;

  if cardinality(t_at) > 0 then
    insert into transactions (device_no, room_no, type_no, txn_id, event_no, at)
    select x.device, e_room[x.at], e_type[x.at], x.txn, e_no[x.at], v_now
    from unnest(t_at, t_device, t_txn) x (at, device, txn) where positions[x.at] > 0;
  end if;

  if cardinality(s_no) > 0 then
    insert into snapshots (snapshot, room_no, base, ordinal, keys, events, members, member_events)
    select s.no, s.room, s.base, s.ordinal, s.keys::int8[], s.events::int8[], s.members::int8[], s.member_events::int8[]
    from unnest(s_no, s_room, s_base, s_ordinal, s_keys, s_events, s_members, s_member_events)
      s (no, room, base, ordinal, keys, events, members, member_events)
    where s.room <> all(refused);
  end if;

  if cardinality(a_at) > 0 then
    insert into event_auth (event_no, auth)
    select e_no[a.at], a.auth::int8[] from unnest(a_at, a_auth) a (at, auth) where positions[a.at] > 0;
  end if;

  if cardinality(l_at) > 0 then
    insert into event_relations (event_no, room_no, position, rel_type, parent_id, key)
    select e_no[l.at], e_room[l.at], positions[l.at], l.type, l.parent, l.key
    from unnest(l_at, l_type, l_parent, l_key) l (at, type, parent, key) where positions[l.at] > 0;
  end if;

  if cardinality(d_at) > 0 then
    insert into redactions (redacted_event_id, event_no)
    select d.redacts, e_no[d.at] from unnest(d_at, d_redacts, d_own) d (at, redacts, own)
    left join events target on target.event_id = d.redacts
    left join users author on author.user_no = target.sender_no left join users redactor on redactor.user_no = e_sender[d.at]
    where positions[d.at] > 0 and coalesce(target.room_no = e_room[d.at], true)
      and (not d.own or author.server_no = redactor.server_no)
    on conflict (redacted_event_id) do nothing;
    insert into waiting_redactions (redacted_event_id, event_no)
    select d.redacts, e_no[d.at] from unnest(d_at, d_redacts, d_own) d (at, redacts, own)
    where d.own and positions[d.at] > 0 and not exists (select from events target where target.event_id = d.redacts)
    on conflict do nothing;
  end if;

  -- What came after its redaction.
  if cardinality(x_at) > 0 then
    insert into redactions (redacted_event_id, event_no)
    select target.event_id, w.event_no from unnest(x_at) x (at)
    join waiting_redactions w on w.redacted_event_id = e_id[x.at]
    join events target on target.event_id = w.redacted_event_id join events r on r.event_no = w.event_no
    join users author on author.user_no = target.sender_no join users redactor on redactor.user_no = r.sender_no
    where positions[x.at] > 0 and r.room_no = target.room_no and author.server_no = redactor.server_no
    order by r.position
    on conflict (redacted_event_id) do nothing;
  end if;

  if cardinality(c_room) > 0 then
    delete from current_state s using unnest(c_room, c_key, c_event) c (room, key, event)
    where s.room_no = c.room and s.state_key_no = c.key and c.event = 0 and c.room <> all(refused);
    insert into current_state (room_no, state_key_no, event_no, position)
    select c.room, c.key, c.event, case when c.at > 0 then positions[c.at] else last_position end
    from unnest(c_room, c_key, c_event, c_at) c (room, key, event, at) where c.event <> 0 and c.room <> all(refused)
    on conflict (room_no, state_key_no) do update set event_no = excluded.event_no, position = excluded.position;
  end if;

  -- Membership 0: the room's state has none for the user any more; the event is the one that held last.
  if cardinality(m_room) > 0 then
    with changed as materialized (
      select m.room, u.server_no,
        (m.membership = 1)::int4 - (o.membership is not distinct from 1)::int4 as joined,
        (m.membership = 2)::int4 - (o.membership is not distinct from 2)::int4 as invited
      from unnest(m_room, m_user, m_membership) m (room, member, membership)
      left join memberships o on o.room_no = m.room and o.user_no = m.member
      join users u on u.user_no = m.member
      where m.room <> all(refused)
    ), counted as (
      update rooms r set joined = r.joined + d.joined, invited = r.invited + d.invited
      from (
        select c.room, sum(c.joined)::int4 as joined, sum(c.invited)::int4 as invited from changed c group by c.room
      ) d
      where r.room_no = d.room and (d.joined <> 0 or d.invited <> 0)
    ), served as (
      insert into room_servers (room_no, server_no, joined)
      select c.room, c.server_no, sum(c.joined)::int4 from changed c group by c.room, c.server_no having sum(c.joined) <> 0
      on conflict (room_no, server_no) do update set joined = room_servers.joined + excluded.joined
    )
    insert into memberships (room_no, user_no, event_no, position, membership, flags, joined_at)
    select m.room, m.member, m.event, m.position, m.membership, m.flags, m.position
    from (
      select u.*, case when u.at > 0 then positions[u.at] else last_position end as position
      from unnest(m_room, m_user, m_event, m_at, m_membership, m_flags) u (room, member, event, at, membership, flags)
    ) m
    where m.room <> all(refused)
    on conflict (room_no, user_no) do update set event_no = excluded.event_no, position = excluded.position,
      membership = excluded.membership,
      -- What was forgotten is shown again once there is an invite, a knock or a join; its history once there is a join.
      flags = excluded.flags | memberships.flags & case when excluded.membership = 1 then 0
        when excluded.membership in (2, 5) then 4 else 5 end,
      joined_at = case when excluded.membership = 1 and memberships.membership = 1
        then coalesce(memberships.joined_at, memberships.position) else excluded.joined_at end;
    delete from room_servers s where s.room_no = any(m_room) and s.joined <= 0;
  end if;

  if v_streams > 0 then
    -- A receipt moves forward only, by the order of the room; of several in one batch the one furthest on counts.
    insert into receipts (room_no, user_no, kind, thread, event_no, position, ts)
    select distinct on (1, 2, 3, 4) (w.v->>'room')::int8, (w.v->>'user')::int8, (w.v->>'receipt')::int2, w.v->>'thread',
      (w.v->>'event')::int8, v_base + v_events + w.i, (w.v->>'ts')::int8
    from jsonb_array_elements(p_streams) with ordinality w (v, i) left join events e on e.event_no = (w.v->>'event')::int8
    where w.v->>'kind' = 'receipt'
    order by 1, 2, 3, 4, e.anchor desc nulls last, e.position desc, w.i desc
    on conflict (room_no, user_no, kind, thread) do update set event_no = excluded.event_no, position = excluded.position,
      ts = excluded.ts
    where coalesce((select (n.anchor, n.position) > (o.anchor, o.position) from events n, events o
      where n.event_no = excluded.event_no and o.event_no = receipts.event_no), true);
    insert into account_data (user_no, room_no, type, position, content)
    select distinct on (1, 2, 3) (w.v->>'user')::int8, (w.v->>'room')::int8, w.v->>'type', v_base + v_events + w.i,
      w.v->>'content'
    from jsonb_array_elements(p_streams) with ordinality w (v, i)
    where w.v->>'kind' = 'account_data' and -w.i <> all(refused)
    order by 1, 2, 3, w.i desc
    on conflict (user_no, room_no, type) do update set position = excluded.position, content = excluded.content;
    insert into push_rules (user_no, position, rules)
    select (w.v->>'user')::int8, v_base + v_events + w.i, w.v->>'rules'
    from jsonb_array_elements(p_streams) with ordinality w (v, i)
    where w.v->>'kind' = 'push_rules' and -w.i <> all(refused)
    on conflict (user_no) do update set position = excluded.position, rules = excluded.rules;
  end if;

  -- 7. The record of the batch.
  changed_rooms := array(
    select w.no from unnest(r_no) w (no) where w.no <> all(refused)
    union
    select (w.v->>'room')::int8 from jsonb_array_elements(p_streams) w (v)
    where w.v->>'kind' = 'receipt' and w.v->>'receipt' = '1'
  );
  changed_users := array(
    select w.member from unnest(m_room, m_user) w (room, member) where w.room <> all(refused)
    union
    select (w.v->>'user')::int8 from jsonb_array_elements(p_streams) w (v)
  );
  insert into commits (position, first_position, previous, batch, at, server_start, replica, rooms, users, refused)
  values (last_position, first_position, previous, p_batch, v_now, v_start, p_replica, changed_rooms, changed_users, refused);
end
$$;
comment on function write_batch_1 is 'Writes one batch of events and streams, or none of it; the only writer of positions.';
comment on column commits.refused is 'What the batch asked for and was refused: rooms, and below 0 its conditional writes, -1 the first of its streams.';

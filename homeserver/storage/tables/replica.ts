/**
 * ops.replica: a row is a process that serves. Written by that process (start, heartbeat, orderly end) and fenced by migrate;
 * read by the batch function at every write and by the operator. Deleted at an orderly end or one day after death; what it had
 * signed goes to ops.last_signed then.
 */
import type { Queryable } from '../database.ts';

/** Silence after which a replica counts as dead. */
export const REPLICA_DEAD_MS = 30_000;

export interface NewReplica {
  id: string;
  softwareVersion: string;
  schemaLevel: number;
  backendTag: string;
  clock: number;
}

const INSERT = `
insert into ops.replica (id, software_version, schema_level, clock, heartbeat, backend_tag)
values ($1, $2, $3, $4, (extract(epoch from clock_timestamp()) * 1000)::int8, $5) returning replica_no`;

/** Registers a process; returns its number, which no other has or had. */
export async function insertReplica(db: Queryable, replica: NewReplica): Promise<number> {
  const { id, softwareVersion, schemaLevel, clock, backendTag } = replica;
  const values = [id, softwareVersion, schemaLevel, clock, backendTag];
  const rows = await db.query<{ replica_no: number }>({ name: 'replica_insert', text: INSERT, values });
  const replicaNo = rows[0]?.replica_no;
  if (replicaNo === undefined) throw new Error('the database gave no replica number');
  return replicaNo;
}

export interface Heartbeat {
  replicaNo: number;
  clock: number;
  keyringGeneration: number;
  activeKeyId: string | null;
  /** Key id -> Unix ms of the newest signature. */
  lastSigned: Readonly<Record<string, number>>;
}

const UPDATE_HEARTBEAT = `
update ops.replica set heartbeat = (extract(epoch from clock_timestamp()) * 1000)::int8, clock = $2, keyring_generation = $3,
  active_key_id = $4, last_signed_ts = $5::jsonb
where replica_no = $1 and fenced_at is null
returning (select generation::float8 from ops.keyring_floor) as floor`;

/** Notes that a process lives and what keys it uses; gives back the lowest generation with which it may sign. Undefined: it is fenced or its row is gone. */
export async function updateReplicaHeartbeat(db: Queryable, beat: Heartbeat): Promise<number | undefined> {
  const values = [
    beat.replicaNo,
    beat.clock,
    beat.keyringGeneration,
    beat.activeKeyId,
    JSON.stringify(beat.lastSigned),
  ];
  const rows = await db.query<{ floor: number | null }>({
    name: 'replica_update_heartbeat',
    text: UPDATE_HEARTBEAT,
    values,
  });
  return rows[0] === undefined ? undefined : (rows[0].floor ?? 0);
}

/** Beside `gone`, the rows that were deleted: their signatures stay known. */
const KEEP_SIGNED = `
kept as (
  insert into ops.last_signed as s (key_id, ts)
  select key, max(value::int8) from gone, jsonb_each_text(gone.signed) group by key
  on conflict (key_id) do update set ts = greatest(s.ts, excluded.ts)
)
select replica_no from gone`;

const DELETE = `
with gone as (
  delete from ops.replica where replica_no = $1 returning replica_no, $2::jsonb as signed
),${KEEP_SIGNED}`;

/** Takes a process out at its orderly end, and notes its newest signatures: key id -> Unix ms. */
export async function deleteReplica(
  db: Queryable,
  replicaNo: number,
  lastSigned: Readonly<Record<string, number>>,
): Promise<void> {
  await db.query({ name: 'replica_delete', text: DELETE, values: [replicaNo, JSON.stringify(lastSigned)] });
}

const DELETE_DEAD = `
with gone as (
  delete from ops.replica where replica_no = any(array(
    select replica_no from ops.replica
    where heartbeat < (extract(epoch from clock_timestamp()) * 1000)::int8 - $1 order by heartbeat limit $2
  )) returning replica_no, last_signed_ts as signed
),${KEEP_SIGNED}`;

/** Takes out processes that have been silent for `silentMs`, at most `limit`. Returns how many. */
export async function deleteDeadReplicas(db: Queryable, silentMs: number, limit: number): Promise<number> {
  return (await db.query({ name: 'replica_delete_dead', text: DELETE_DEAD, values: [silentMs, limit] })).length;
}

const SELECT_ALL = `
select replica_no, (extract(epoch from clock_timestamp()) * 1000)::int8 - heartbeat as silent_ms from ops.replica`;

/** All processes that have not ended in order, fenced and dead ones included, with the time since their last heartbeat. */
export function selectReplicas(db: Queryable): Promise<{ replica_no: number; silent_ms: number }[]> {
  return db.query({ name: 'replica_select_all', text: SELECT_ALL });
}

const SELECT_LIVE_BELOW = `
select id from ops.replica
where schema_level < $1 and fenced_at is null and heartbeat >= (extract(epoch from clock_timestamp()) * 1000)::int8 - $2
order by replica_no limit 20`;

/** Ids of live processes whose program is older than `level`, at most 20. */
export async function selectLiveReplicasBelow(db: Queryable, level: number): Promise<string[]> {
  const values = [level, REPLICA_DEAD_MS];
  const rows = await db.query<{ id: string }>({ name: 'replica_select_live_below', text: SELECT_LIVE_BELOW, values });
  return rows.map((row) => row.id);
}

const LOCK_DRAINING = 'select pg_try_advisory_lock(7005, $1)';

/** Marks a process as one that takes no more requests, for as long as this session of it lasts. */
export async function lockDraining(db: Queryable, replicaNo: number): Promise<void> {
  await db.query({ name: 'replica_lock_draining', text: LOCK_DRAINING, values: [replicaNo] });
}

const SELECT_OTHERS_SERVING = `
select from ops.replica r
where r.replica_no <> $1 and r.fenced_at is null
  and r.heartbeat >= (extract(epoch from clock_timestamp()) * 1000)::int8 - $2
  and not exists (select from pg_locks l
    where l.locktype = 'advisory' and l.classid::int8 = 7005 and l.objid::int8 = r.replica_no and l.objsubid = 2
      and l.database = (select d.oid from pg_database d where d.datname = current_database()))
limit 1`;

/** Whether another live process takes requests. */
export async function selectOthersServing(db: Queryable, replicaNo: number): Promise<boolean> {
  const values = [replicaNo, REPLICA_DEAD_MS];
  return (await db.query({ name: 'replica_select_others_serving', text: SELECT_OTHERS_SERVING, values })).length > 0;
}

const UPDATE_FENCED = `
update ops.replica set fenced_at = (extract(epoch from clock_timestamp()) * 1000)::int8
where schema_level < $1 and fenced_at is null`;

/** Fences every process whose program is older than `level`. */
export async function updateReplicasFenced(db: Queryable, level: number): Promise<void> {
  await db.query({ name: 'replica_update_fenced', text: UPDATE_FENCED, values: [level] });
}

const SELECT_FENCED = 'select backend_tag from ops.replica where schema_level < $1 and fenced_at is not null';

/** Tags of the sessions of fenced processes whose program is older than `level`. */
export async function selectFencedTags(db: Queryable, level: number): Promise<string[]> {
  const values = [level];
  const rows = await db.query<{ backend_tag: string }>({ name: 'replica_select_fenced', text: SELECT_FENCED, values });
  return rows.map((row) => row.backend_tag);
}

const SELECT_ADMITTED = 'select from ops.replica where replica_no = $1 and fenced_at is null';

/** Whether a process may still use the database. */
export async function selectReplicaAdmitted(db: Queryable, replicaNo: number): Promise<boolean> {
  return (await db.query({ name: 'replica_select_admitted', text: SELECT_ADMITTED, values: [replicaNo] })).length > 0;
}

// A login sees the tags of its own sessions. Those of another login of the same owner it sees without a tag: they count.
const SELECT_SESSIONS = `
select count(*)::int4 as count from pg_stat_activity a join pg_roles u on u.oid = a.usesysid
where a.datname = current_database() and a.pid <> pg_backend_pid() and not u.rolsuper
  and (exists (select from ops.replica r where r.backend_tag = a.application_name)
    or (a.application_name is null and pg_has_role(a.usesysid, (
      select d.datdba from pg_database d where d.datname = current_database()), 'member')))`;

/** How many sessions of registered processes are open in this database. */
export async function selectReplicaSessions(db: Queryable): Promise<number> {
  const rows = await db.query<{ count: number }>({ name: 'replica_select_sessions', text: SELECT_SESSIONS });
  return rows[0]?.count ?? 0;
}

const END_SESSIONS = `
select count(case when pg_has_role(current_user, a.usesysid, 'usage') then pg_terminate_backend(a.pid) end) as ended,
  count(*)::int4 as found
from pg_stat_activity a join pg_roles u on u.oid = a.usesysid
where a.datname = current_database() and a.pid <> pg_backend_pid() and not u.rolsuper
  and (a.application_name = any($1) or (a.application_name is null and pg_has_role(a.usesysid, (
    select d.datdba from pg_database d where d.datname = current_database()), 'member')))
  and (a.backend_start is null or a.backend_start <= $2::timestamptz)`;

const NOW = 'select clock_timestamp()::text as now';

/** The time of the database, as it is compared with the beginning of sessions. */
export async function selectDatabaseTime(db: Queryable): Promise<string> {
  const [row] = await db.query<{ now: string }>({ name: 'replica_select_time', text: NOW });
  if (row === undefined) throw new Error('a statement that always gives one row gave none');
  return row.now;
}

/**
 * Ends all database sessions with these tags that began until `began` and that the login may end. Gives how many there were,
 * those of other logins of the same owner included, whose tags and beginning cannot be seen.
 */
export async function deleteReplicaSessions(db: Queryable, tags: readonly string[], began: string): Promise<number> {
  const rows = await db.query<{ found: number }>({
    name: 'replica_delete_sessions',
    text: END_SESSIONS,
    values: [tags, began],
  });
  return rows[0]?.found ?? 0;
}

const DELETE_ALL = 'delete from ops.replica';

/** Takes all processes out; for a restored database, whose processes live elsewhere. */
export async function deleteAllReplicas(db: Queryable): Promise<void> {
  await db.query({ name: 'replica_delete_all', text: DELETE_ALL });
}

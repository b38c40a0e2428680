/**
 * uia_sessions: a row is a user-interactive authentication under way. Written and read by interactive-auth, on any replica.
 * Grows by one row for each request that asks for the stages; expired rows are deleted by later inserts, a few at a time.
 */
import type { Queryable } from '../database.ts';

export interface UiaSessionRow {
  session_id: string;
  operation: string;
  request_digest: Buffer;
  completed: string[];
  /** What the stages learned, a JSON object as text. */
  facts: string;
  /** What the finished session made, JSON text; null: not finished. */
  result: string | null;
}

export interface NewUiaSession {
  sessionId: string;
  operation: string;
  requestDigest: Buffer;
  /** JSON text without secrets. */
  request: string;
  userNo: number | null;
  /** Unix ms. */
  createdAt: number;
  expiresAt: number;
}

const INSERT = `
  insert into uia_sessions (session_id, operation, request_digest, request, user_no, created_at, expires_at)
  values ($1, $2, $3, $4, $5, $6, $7)`;

export async function insertUiaSession(db: Queryable, session: NewUiaSession): Promise<void> {
  const { sessionId, operation, requestDigest, request, userNo, createdAt, expiresAt } = session;
  const values = [sessionId, operation, requestDigest, request, userNo, createdAt, expiresAt];
  await db.query({ name: 'uia_sessions_insert', text: INSERT, values });
}

const SELECT = `
  select session_id, operation, request_digest, completed, facts, result
  from uia_sessions where session_id = $1 and expires_at > $2`;

/** The session, unless it has expired at `now` (Unix ms). */
export async function selectUiaSession(
  db: Queryable,
  sessionId: string,
  now: number,
): Promise<UiaSessionRow | undefined> {
  const rows = await db.query<UiaSessionRow>({ name: 'uia_sessions_select', text: SELECT, values: [sessionId, now] });
  return rows[0];
}

const UPDATE_STAGE = `
  update uia_sessions set completed = array_append(array_remove(completed, $2), $2), facts = $3
  where session_id = $1 and result is null`;

export async function updateUiaStage(db: Queryable, sessionId: string, stage: string, facts: string): Promise<void> {
  await db.query({ name: 'uia_sessions_update_stage', text: UPDATE_STAGE, values: [sessionId, stage, facts] });
}

const UPDATE_RESULT = `update uia_sessions set result = $2 where session_id = $1 and result is null returning session_id`;

/** Marks the session as used, in the transaction of what it allowed. False when another request was quicker. */
export async function updateUiaResult(db: Queryable, sessionId: string, result: string): Promise<boolean> {
  const rows = await db.query({ name: 'uia_sessions_update_result', text: UPDATE_RESULT, values: [sessionId, result] });
  return rows.length === 1;
}

const DELETE_EXPIRED = `
  delete from uia_sessions where session_id in
    (select session_id from uia_sessions where expires_at <= $1 order by expires_at limit 20 for update skip locked)`;

/** At most 20 at a time: more than one insert makes, so the table cannot grow without end. */
export async function deleteExpiredUiaSessions(db: Queryable, now: number): Promise<void> {
  await db.query({ name: 'uia_sessions_delete_expired', text: DELETE_EXPIRED, values: [now] });
}

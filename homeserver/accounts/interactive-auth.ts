import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { ErrorCode } from '../errors.ts';
import { MatrixError } from '../errors.ts';
import { parsePlainJson } from '../room/strict-json.ts';
import type { Queryable } from '../storage/database.ts';
import {
  deleteExpiredUiaSessions,
  insertUiaSession,
  selectUiaSession,
  updateUiaResult,
  updateUiaStage,
} from '../storage/tables/uia_sessions.ts';
import type { UiaSessionRow } from '../storage/tables/uia_sessions.ts';
import type { AccountsContext } from './context.ts';
import { newSessionId } from './tokens.ts';

/** How long a client may take for all stages. */
const SESSION_MS = 20 * 60 * 1000;

/** The `auth` member of a request's body. */
export const AuthData = z.looseObject({
  type: z.string().max(255).optional(),
  session: z.string().max(255).optional(),
});
export type AuthData = z.infer<typeof AuthData>;

const Facts = z.record(z.string(), z.string());
export type Facts = z.infer<typeof Facts>;

type StageOutcome = { ok: true; facts?: Facts } | { ok: false; code: ErrorCode; error: string };

/** What a stage checks: the client's `auth`, in which it finds its own members. */
export type StageCheck = (auth: AuthData) => StageOutcome | Promise<StageOutcome>;

export interface InteractiveRequest {
  operationId: string;
  /** The parameters that must stay the same from the first request to the last; no secrets. */
  bound: Readonly<Record<string, string | number | boolean | null>>;
  userNo: number | null;
  auth: AuthData | undefined;
  /** Alternatives, each a list of stages. */
  flows: readonly (readonly string[])[];
  stages: Readonly<Record<string, StageCheck>>;
}

export type InteractiveOutcome =
  | { done: true; sessionId: string; facts: Facts }
  /** The body of the 401 that asks for more. */
  | { done: false; body: Readonly<Record<string, unknown>> };

interface Failure {
  code: ErrorCode;
  error: string;
}

/**
 * One step of user-interactive authentication. The session lives in the database, so any replica can take the next step.
 * Errors: M_FORBIDDEN when the request is not the one that the session began with, or the session is used up.
 * Spec: client-server API, "User-Interactive Authentication API" (v1.19).
 */
export async function authenticateInteractively(
  ctx: AccountsContext,
  request: InteractiveRequest,
): Promise<InteractiveOutcome> {
  const { auth } = request;
  const known = await findSession(ctx, request);
  const session = known ?? (await beginSession(ctx, request));
  if (auth?.session !== undefined && known === undefined) {
    return ask(request, session, { code: 'M_UNKNOWN', error: 'This session is unknown or has expired: begin again.' });
  }
  return auth?.type === undefined
    ? conclude(request, session)
    : tryStage(ctx, request, session, { ...auth, type: auth.type });
}

/** Ends a session with what it allowed, so that it allows nothing more. Errors: M_FORBIDDEN (another request was quicker). */
export async function useUpSession(db: Queryable, sessionId: string, result: Readonly<Facts>): Promise<void> {
  if (await updateUiaResult(db, sessionId, JSON.stringify(result))) return;
  throw new MatrixError('M_FORBIDDEN', 'This session has been used: begin again.');
}

async function tryStage(
  ctx: AccountsContext,
  request: InteractiveRequest,
  session: UiaSessionRow,
  auth: AuthData & { type: string },
): Promise<InteractiveOutcome> {
  const check = request.flows.flat().includes(auth.type) ? request.stages[auth.type] : undefined;
  if (check === undefined) {
    return ask(request, session, { code: 'M_UNRECOGNIZED', error: 'This stage is in none of the flows.' });
  }
  const outcome = await check(auth);
  if (!outcome.ok) return ask(request, session, outcome);
  return conclude(request, await completeStage(ctx, session, auth.type, outcome.facts ?? {}));
}

async function findSession(ctx: AccountsContext, request: InteractiveRequest): Promise<UiaSessionRow | undefined> {
  const id = request.auth?.session;
  if (id === undefined) return undefined;
  const session = await selectUiaSession(ctx.store.db, id, Date.now());
  if (session === undefined) return undefined;
  if (session.operation !== request.operationId || !session.request_digest.equals(digestOf(request))) {
    throw new MatrixError('M_FORBIDDEN', 'The parameters differ from those with which this session began.');
  }
  if (session.result !== null) throw new MatrixError('M_FORBIDDEN', 'This session has been used: begin again.');
  return session;
}

async function beginSession(ctx: AccountsContext, request: InteractiveRequest): Promise<UiaSessionRow> {
  const now = Date.now();
  const sessionId = newSessionId();
  const requestDigest = digestOf(request);
  await deleteExpiredUiaSessions(ctx.store.db, now);
  await insertUiaSession(ctx.store.db, {
    sessionId,
    operation: request.operationId,
    requestDigest,
    request: JSON.stringify(request.bound),
    userNo: request.userNo,
    createdAt: now,
    expiresAt: now + SESSION_MS,
  });
  const row = { session_id: sessionId, operation: request.operationId, request_digest: requestDigest };
  return { ...row, completed: [], facts: '{}', result: null };
}

async function completeStage(
  ctx: AccountsContext,
  session: UiaSessionRow,
  stage: string,
  learned: Facts,
): Promise<UiaSessionRow> {
  const facts = JSON.stringify({ ...parseFacts(session), ...learned });
  await updateUiaStage(ctx.store.db, session.session_id, stage, facts);
  return { ...session, facts, completed: [...new Set([...session.completed, stage])] };
}

function conclude(request: InteractiveRequest, session: UiaSessionRow): InteractiveOutcome {
  const complete = request.flows.some((flow) => flow.every((stage) => session.completed.includes(stage)));
  if (!complete) return ask(request, session);
  return { done: true, sessionId: session.session_id, facts: parseFacts(session) };
}

function ask(request: InteractiveRequest, session: UiaSessionRow, failure?: Failure): InteractiveOutcome {
  const flows = request.flows.map((stages) => ({ stages }));
  const wrong = failure && { errcode: failure.code, error: failure.error };
  const completed = session.completed.length > 0 && { completed: session.completed };
  return { done: false, body: { ...wrong, session: session.session_id, flows, params: {}, ...completed } };
}

function digestOf(request: InteractiveRequest): Buffer {
  const entries = Object.entries(request.bound).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([request.operationId, request.userNo, entries]))
    .digest();
}

function parseFacts(session: UiaSessionRow): Facts {
  return Facts.parse(parsePlainJson(session.facts));
}

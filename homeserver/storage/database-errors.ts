import pg from 'pg';
import { MatrixError, tryAgainLater } from '../errors.ts';

/** SQLSTATE of the batch function when the replica is fenced or its row is gone. */
export const FENCED_STATE = 'MX001';

/** SQLSTATE of the batch function when the server has been started again since the batch was built; the detail is its start. */
export const RESTARTED_STATE = 'MX003';

/**
 * Failures after which the same statement may succeed on a new connection: shutdown (57P0x), starting up, class 08, class 53 (no
 * connection, disk or memory left), deadlock, lock timeout, serialization, statement timeout, idle-in-transaction end, read-only standby.
 */
const PASSING_STATES = new Set(['40001', '40P01', '55P03', '57014', '25P03', '25P04', '25006']);

/** The SQLSTATE that the server answered, undefined when the failure is not the server's answer. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** The start of the server (Unix microseconds) that a refusal by RESTARTED_STATE tells; undefined for other errors. */
export function restartedAt(error: unknown): number | undefined {
  if (!(error instanceof pg.DatabaseError) || error.code !== RESTARTED_STATE) return undefined;
  return Number(error.detail);
}

/** Whether the database is away or busy (try again), as opposed to having refused the statement. */
export function isPassing(error: unknown): boolean {
  if (error instanceof MatrixError) return false;
  const state = sqlState(error);
  if (state === undefined) return isConnectionLoss(error);
  return PASSING_STATES.has(state) || state.startsWith('08') || state.startsWith('53') || state.startsWith('57P');
}

/**
 * Whether the database cannot be used now, also because it refuses to let us in: credentials are being rotated, or the database
 * is being made. A request then gets 503; a command says what was refused.
 */
export function isAway(error: unknown): boolean {
  const state = sqlState(error) ?? '';
  return isPassing(error) || state.startsWith('28') || state === '3D000';
}

/** Anything that is no answer of the server but comes from the connection: sockets, time limits, TLS. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError || 'code' in error) return sqlState(error) === undefined;
  return /connection|timeout|not queryable|closed/i.test(error.message);
}

/** What a request is answered when the database cannot be used now. */
export function databaseAway(cause: unknown): MatrixError {
  return tryAgainLater('The database cannot be used at the moment: try again.', cause);
}

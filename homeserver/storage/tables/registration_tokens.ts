/**
 * registration_tokens: a row is a token that allows registrations. Written by `admin registration-token`; used up by register.
 * Few rows; deleted by the admin who made them.
 */
import type { Queryable } from '../database.ts';

const SELECT_VALID = `
  select token from registration_tokens
  where token = $1 and (expires_at is null or expires_at > $2) and (uses_allowed is null or completed < uses_allowed)`;

/** Whether the token could still make an account at `now` (Unix ms). */
export async function selectTokenIsValid(db: Queryable, token: string, now: number): Promise<boolean> {
  const rows = await db.query({ name: 'registration_tokens_select_valid', text: SELECT_VALID, values: [token, now] });
  return rows.length === 1;
}

const UPDATE_USE = `
  update registration_tokens set completed = completed + 1
  where token = $1 and (expires_at is null or expires_at > $2) and (uses_allowed is null or completed < uses_allowed)
  returning token`;

/** Takes one use, in the transaction that makes the account. False when none is left. */
export async function updateTokenUsed(db: Queryable, token: string, now: number): Promise<boolean> {
  const rows = await db.query({ name: 'registration_tokens_update_used', text: UPDATE_USE, values: [token, now] });
  return rows.length === 1;
}

export interface NewRegistrationToken {
  token: string;
  /** Undefined: any number. */
  usesAllowed: number | undefined;
  createdAt: number;
  /** Unix ms; undefined: never. */
  expiresAt: number | undefined;
}

const INSERT = `
  insert into registration_tokens (token, uses_allowed, created_at, expires_at) values ($1, $2, $3, $4)
  on conflict do nothing returning token`;

/** False when the token exists. */
export async function insertRegistrationToken(db: Queryable, token: NewRegistrationToken): Promise<boolean> {
  const values = [token.token, token.usesAllowed ?? null, token.createdAt, token.expiresAt ?? null];
  const rows = await db.query({ name: 'registration_tokens_insert', text: INSERT, values });
  return rows.length === 1;
}

/**
 * accounts: a row is an account of this server. Written by registration, password change and deactivation; read by login.
 * Grows by one row a registration; rows are never deleted, so that no name is given out twice.
 */
import type { Queryable } from '../database.ts';

export interface AccountRow {
  user_no: number;
  user_id: string;
  /** argon2id in PHC string format; null: no login by password. */
  password_hash: string | null;
  admin: boolean;
  /** Unix ms; null while active. */
  deactivated_at: number | null;
}

export interface NewAccount {
  userNo: number;
  passwordHash: string | null;
  admin: boolean;
  createdAt: number;
}

const SELECT_BY_ID = `
  select a.user_no, u.user_id, a.password_hash, a.admin, a.deactivated_at
  from users u join accounts a on a.user_no = u.user_no
  where u.user_id = $1`;

/** The account of a full user id, deactivated ones included. */
export async function selectAccount(db: Queryable, userId: string): Promise<AccountRow | undefined> {
  const rows = await db.query<AccountRow>({ name: 'accounts_select_by_id', text: SELECT_BY_ID, values: [userId] });
  return rows[0];
}

const INSERT = `
  insert into accounts (user_no, password_hash, admin, created_at) values ($1, $2, $3, $4)
  on conflict do nothing returning user_no`;

/** False when the user has an account already. */
export async function insertAccount(db: Queryable, account: NewAccount): Promise<boolean> {
  const values = [account.userNo, account.passwordHash, account.admin, account.createdAt];
  const rows = await db.query<{ user_no: number }>({ name: 'accounts_insert', text: INSERT, values });
  return rows.length === 1;
}

const UPDATE_PASSWORD = `update accounts set password_hash = $2 where user_no = $1 and deactivated_at is null`;

export async function updatePasswordHash(db: Queryable, userNo: number, passwordHash: string): Promise<void> {
  await db.query({ name: 'accounts_update_password', text: UPDATE_PASSWORD, values: [userNo, passwordHash] });
}

const SELECT_IN_USE = `
  select a.user_no, u.user_id, a.password_hash, a.admin, a.deactivated_at
  from devices d join accounts a on a.user_no = d.user_no join users u on u.user_no = a.user_no
  where a.deactivated_at is null order by d.device_no desc limit 1`;

/** An account that somebody uses: the one with the newest device; undefined when there are no devices. */
export async function selectAccountInUse(db: Queryable): Promise<AccountRow | undefined> {
  const rows = await db.query<AccountRow>({ name: 'accounts_select_in_use', text: SELECT_IN_USE });
  return rows[0];
}

/**
 * access_tokens: a row is a token that a device may use. Written by login and registration; read by every request that the
 * token cache does not answer. Grows by one row a login; deleted by logout, by a new login of the same device, by expiry.
 */
import type { Queryable } from '../database.ts';

export interface TokenOwnerRow {
  /** SHA-256 of the token, hex. */
  token_hash: string;
  user_no: number;
  user_id: string;
  device_no: number;
  device_id: string;
}

// Deactivated accounts keep no tokens; the join makes sure even if one is given out while the deactivation runs.
const SELECT_OWNERS = `
  select encode(t.token_hash, 'hex') as token_hash, t.user_no, u.user_id, t.device_no, d.device_id
  from access_tokens t
  join devices d on d.device_no = t.device_no
  join users u on u.user_no = t.user_no
  join accounts a on a.user_no = t.user_no
  where t.token_hash = any($1::bytea[]) and a.deactivated_at is null and (t.expires_at is null or t.expires_at > $2)`;

/** Owners of the tokens that are known and valid at `now` (Unix ms), in no order. */
export async function selectTokenOwners(
  db: Queryable,
  hashes: readonly Buffer[],
  now: number,
): Promise<TokenOwnerRow[]> {
  return db.query<TokenOwnerRow>({
    name: 'access_tokens_select_owners',
    text: SELECT_OWNERS,
    values: [hashes, now],
  });
}

export interface NewAccessToken {
  tokenHash: Buffer;
  deviceNo: number;
  userNo: number;
  createdAt: number;
}

const INSERT = `insert into access_tokens (token_hash, device_no, user_no, created_at) values ($1, $2, $3, $4)`;

export async function insertAccessToken(db: Queryable, token: NewAccessToken): Promise<void> {
  const values = [token.tokenHash, token.deviceNo, token.userNo, token.createdAt];
  await db.query({ name: 'access_tokens_insert', text: INSERT, values });
}

const DELETE_OF_DEVICES = `delete from access_tokens where device_no = any($1::int8[]) returning device_no`;

/** The devices that had tokens. */
export async function deleteTokensOfDevices(db: Queryable, deviceNos: readonly number[]): Promise<number[]> {
  const rows = await db.query<{ device_no: number }>({
    name: 'access_tokens_delete_of_devices',
    text: DELETE_OF_DEVICES,
    values: [deviceNos],
  });
  return rows.map((row) => row.device_no);
}

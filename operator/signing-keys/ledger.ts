import * as z from 'zod';
import { withSession } from '../database/sessions.ts';
import type { DatabaseLogin, Session } from '../database/connect.ts';
import { quoteLiteral } from '../database/quote-identifier.ts';
import type { KeyMove, PublicKey } from './key-facts.ts';
import { KEY_STATES, rankOf } from './key-states.ts';
import type { KeyState } from './key-states.ts';
import type { LedgerRow } from './keyring-content.ts';

/** What the tenant's database remembers of its keys. */
export interface Ledger {
  /** Unix ms by the clock of the database. */
  readonly now: number;
  /** Whether there is a schema in which replicas speak of their signing. */
  readonly hasReplicas: boolean;
  readonly rows: readonly LedgerRow[];
  /** The last keyring that was decided on: its public content and generation. */
  readonly decided:
    | { readonly generation: number; readonly content: string; readonly at: number; readonly restarted: number }
    | undefined;
}

const MAX_ROWS = 1000;
/** One statement, because a round trip costs more than what it asks for. */
const SELECT_LEDGER = `select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as now,
    k.generation::float8 as generation, k.content, floor(extract(epoch from k.decided_at) * 1000)::float8 as at,
    k.restarted::float8 as restarted, to_regclass('ops.keyring_floor') is not null as has_replicas, s.keys
  from (select coalesce(json_agg(json_build_object('name', name, 'key_id', key_id, 'public_key', public_key,
      'state', state, 'since', floor(extract(epoch from since) * 1000)::float8,
      'visible_since', floor(extract(epoch from visible_since) * 1000)::float8, 'expired_ts', expired_ts::float8,
      'is_destroyed', destroyed_at is not null) order by name), '[]') as keys
    from (select * from matrix_operator.signing_key order by name limit $1) first) s
  left join matrix_operator.keyring k on true`;
/**
 * Two sessions that insert the same key at once: `on conflict` decides by the name alone, so the later one may meet the
 * unique key_id first and fail (seen). Readers are not held up.
 */
const LOCK_KEYS = 'lock table matrix_operator.signing_key in share row exclusive mode';
const MOVE_KEY = `update matrix_operator.signing_key set state = $2, state_rank = $3,
    since = case when state_rank < $3 then now() else since end,
    expired_ts = case when $2 = 'Revoked' then least(expired_ts, $4::bigint) else coalesce(expired_ts, $4::bigint) end
  where name = $1 and (state_rank < $3 or (state = 'Revoked' and state_rank = $3 and expired_ts > $4::bigint))
  returning name`;
const EXPIRE_KEY = `update matrix_operator.signing_key set expired_ts = $2
  where name = $1 and state = 'Retiring' and expired_ts is null`;
const SHOW_KEYS = `update matrix_operator.signing_key set visible_since = now()
  where name = any($1) and state = 'Published' and visible_since is null`;
const DESTROYED_KEY = `update matrix_operator.signing_key set destroyed_at = now()
  where name = $1 and state in ('Retired', 'Revoked') and destroyed_at is null`;
const FORGET_KEY = `delete from matrix_operator.signing_key where name = $1 and state = 'Staged'`;
const DECIDE_KEYRING = `insert into matrix_operator.keyring as k (generation, content) values ($1, $2)
  on conflict (only_row) do update set generation = excluded.generation, content = excluded.content, decided_at = now()
  where k.generation < excluded.generation`;
const RESTART = 'update matrix_operator.keyring set restarted = $1 where generation = $1 and restarted < $1';

const KeyRow = z.object({
  name: z.string(),
  key_id: z.string(),
  public_key: z.string(),
  state: z.enum(KEY_STATES),
  since: z.number(),
  visible_since: z.number().nullable(),
  expired_ts: z.number().nullable(),
  is_destroyed: z.boolean(),
});
const LedgerRows = z.object({
  keys: z.array(KeyRow),
  now: z.number(),
  has_replicas: z.boolean(),
  generation: z.number().nullable(),
  content: z.string().nullable(),
  at: z.number().nullable(),
  restarted: z.number().nullable(),
});

/** The whole ledger, read in a session of the tenant. */
export async function readLedger(session: Session): Promise<Ledger> {
  const [row] = await session.query(SELECT_LEDGER, [MAX_ROWS]);
  const { now, has_replicas: hasReplicas, keys, generation, content, at, restarted } = LedgerRows.parse(row);
  const decided =
    generation === null || content === null || at === null || restarted === null
      ? undefined
      : { generation, content, at, restarted };
  return { now, hasReplicas, rows: keys.map(toRow), decided };
}

export interface Recorded extends PublicKey {
  readonly name: string;
  readonly state: KeyState;
  readonly expiredTs?: number | undefined;
  readonly isEarlier?: boolean;
}

/** Adds a key or raises its state; nothing happens if that was done already or the name has another key. */
export async function recordKey(login: DatabaseLogin, key: Recorded): Promise<void> {
  // Sent together they are one transaction, and one round trip.
  await withSession(login, (session) => session.query(`${LOCK_KEYS};\n${recordKeySql(key)}`));
}

/**
 * The first writer of a name wins, and its key stays the key of that name; a state is only ever raised, and a time once
 * written only becomes earlier.
 */
function recordKeySql({ name, keyId, publicKey, state, expiredTs, isEarlier = false }: Recorded): string {
  const texts = [name, keyId, publicKey, state].map(quoteLiteral).join(', ');
  const end = expiredTs === undefined ? 'null' : String(Math.trunc(expiredTs));
  return `insert into matrix_operator.signing_key as k
      (name, key_id, public_key, state, state_rank, expired_ts, destroyed_at)
    values (${texts}, ${rankOf(state)}, ${end}, ${isEarlier ? 'now()' : 'null'})
    on conflict (name) do update set state = excluded.state, state_rank = excluded.state_rank, since = now(),
      expired_ts = least(k.expired_ts, excluded.expired_ts)
    where k.state_rank < excluded.state_rank and k.public_key = excluded.public_key`;
}

/** All moves in one transaction; if one of them was made already by somebody else, none is made. */
export function moveKeys(login: DatabaseLogin, moves: readonly KeyMove[]): Promise<void> {
  return withSession(login, async (session) => {
    await session
      .transaction(async () => {
        for (const { name, to, expiredTs = null } of moves) {
          const moved = await session.query(MOVE_KEY, [name, to, rankOf(to), expiredTs]);
          if (moved.length === 0) throw new AlreadyMoved();
        }
      })
      .catch((error: unknown) => {
        if (!(error instanceof AlreadyMoved)) throw error;
      });
  });
}

class AlreadyMoved extends Error {}

/** Fixes the end of a retiring key; the first writer wins. */
export const expireKey = (login: DatabaseLogin, name: string, expiredTs: number): Promise<void> =>
  run(login, EXPIRE_KEY, [name, expiredTs]);

/** Notes that every replica publishes these keys. */
export const showKeys = (login: DatabaseLogin, names: readonly string[]): Promise<void> =>
  run(login, SHOW_KEYS, [names]);

/** Notes that no private half of a key is left. */
export const noteDestroyed = (login: DatabaseLogin, name: string): Promise<void> => run(login, DESTROYED_KEY, [name]);

/** Takes out a key that was never published. */
export const forgetKey = (login: DatabaseLogin, name: string): Promise<void> => run(login, FORGET_KEY, [name]);

/** Fixes what the keyring of a generation says, before it is written; a lower or equal generation changes nothing. */
export const decideKeyring = (login: DatabaseLogin, generation: number, content: string): Promise<void> =>
  run(login, DECIDE_KEYRING, [generation, content]);

/** Notes that the replicas are replaced so that they take the keyring of this generation. */
export const noteRestart = (login: DatabaseLogin, generation: number): Promise<void> =>
  run(login, RESTART, [generation]);

function run(login: DatabaseLogin, text: string, values: readonly unknown[]): Promise<void> {
  return withSession(login, async (session) => {
    await session.query(text, values);
  });
}

function toRow(row: z.infer<typeof KeyRow>): LedgerRow {
  const { name, key_id: keyId, public_key: publicKey, state, since } = row;
  return {
    name,
    keyId,
    publicKey,
    state,
    since,
    visibleSince: row.visible_since ?? undefined,
    expiredTs: row.expired_ts ?? undefined,
    isDestroyed: row.is_destroyed,
  };
}

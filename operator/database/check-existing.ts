import * as z from 'zod';
import { OperatorError } from '../errors.ts';
import { checkCollation, checkServerName, checkTakeover } from './check-found.ts';
import type { Refusal } from './check-found.ts';
import { withSession } from './sessions.ts';
import type { DatabaseLogin, Session } from './connect.ts';
import type { AdoptPolicy, FoundInside } from './database-facts.ts';
import { writeLedger } from './execute-plan.ts';
import { observeInside } from './observe-inside.ts';
import type { ProvisionResult } from './provision-result.ts';
import { takesNoWrites } from './takes-no-writes.ts';

/** Who wants to use a database that somebody else made. */
export interface ExistingOwner {
  readonly serverName: string;
  readonly claim: string;
  /** `namespace/name`. */
  readonly resource: string;
  readonly provisionedBefore: boolean;
  /** [None] An empty database is always used; one of the same server only with SameServerName. */
  readonly adoptPolicy?: AdoptPolicy;
}

const FACTS = `select current_setting('server_version_num')::integer as number,
    split_part(current_setting('server_version'), ' ', 1) as version, current_user as login,
    current_setting('transaction_read_only')::boolean as is_read_only,
    pg_get_userbyid(d.datdba) as owner, pg_encoding_to_char(d.encoding) as encoding,
    coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') as provider, d.datcollate as collate, d.datctype as ctype,
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') as locale,
    (select count(*)::integer from pg_stat_activity a where a.datid = d.oid and a.usename = current_user
      and a.application_name <> 'matrix-operator') as live_sessions
  from pg_database d where d.datname = current_database()`;

const FactsRow = z.object({
  number: z.int(),
  version: z.string(),
  login: z.string(),
  is_read_only: z.boolean(),
  owner: z.string(),
  encoding: z.string(),
  provider: z.string(),
  collate: z.string(),
  ctype: z.string(),
  locale: z.string().nullable(),
  live_sessions: z.int(),
});
type Facts = z.infer<typeof FactsRow>;

const OLDEST_VERSION = 140_000;

/**
 * `database.existing`: nothing is provisioned. Checks version, encoding, collation and whose data it is, and makes only
 * the ledger inside. Errors: as `withSession`; a database that does not exist is DatabaseLost if it was there before.
 */
export async function checkExistingDatabase(login: DatabaseLogin, owner: ExistingOwner): Promise<ProvisionResult> {
  try {
    return await withSession(login, (session) => check(session, login, owner));
  } catch (error) {
    if (!(error instanceof OperatorError) || error.reason !== 'DatabaseLost' || owner.provisionedBefore) throw error;
    throw new OperatorError('LoginRefused', `${error.message}; correct dbname in ${login.credentials}`, error);
  }
}

async function check(session: Session, login: DatabaseLogin, owner: ExistingOwner): Promise<ProvisionResult> {
  const { database: name } = login;
  const facts = FactsRow.parse((await session.query(FACTS))[0]);
  if (facts.is_read_only) throw takesNoWrites(login);
  const inside = await observeInside(session);
  const refusal = refusalOf(name, owner, facts, inside);
  if (refusal !== undefined) return { ok: false, refusal };
  const changes = await takeLedger(session, owner, inside);
  const { version: serverVersion, owner: role, login: loginRole } = facts;
  return { ok: true, changes, facts: { name, owner: role, loginRole, claim: owner.claim, serverVersion } };
}

function refusalOf(name: string, owner: ExistingOwner, facts: Facts, inside: FoundInside): Refusal | undefined {
  if (facts.number < OLDEST_VERSION) {
    return { reason: 'ServerUnsupported', message: `PostgreSQL ${facts.version} is too old: 14 or newer is needed` };
  }
  const { adoptPolicy = 'None', serverName } = owner;
  return (
    checkCollation(name, { ...facts, locale: facts.locale ?? undefined }) ??
    checkServerName({ name, serverName }, inside) ??
    checkHistory(name, owner, inside) ??
    (inside.lastOwner === undefined || inside.lastOwner.claim === owner.claim
      ? undefined
      : checkTakeover({ name, adoptPolicy }, facts.live_sessions))
  );
}

/** A database without our row: new and empty, or not the one that was used before. */
function checkHistory(name: string, owner: ExistingOwner, inside: FoundInside): Refusal | undefined {
  if (inside.lastOwner !== undefined) return undefined;
  if (owner.provisionedBefore) {
    const message = `database "${name}" is not the one that was used before: its ledger is missing; restore it`;
    return { reason: 'DatabaseLost', message };
  }
  if (inside.userTables === 0) return undefined;
  const message = `database "${name}" holds ${inside.userTables} tables of somebody else; only an empty one is taken`;
  return { reason: 'DatabaseConflict', message };
}

async function takeLedger(session: Session, owner: ExistingOwner, inside: FoundInside): Promise<number> {
  if (inside.hasLedger && inside.lastOwner?.claim === owner.claim) return 0;
  const actions = inside.hasLedger ? (['recordOwner'] as const) : (['makeLedger', 'recordOwner'] as const);
  await writeLedger(session, actions, { wanted: owner, resource: owner.resource });
  return actions.length;
}

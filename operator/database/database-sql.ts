import type { WantedDatabase } from './database-facts.ts';
import { formatMarker } from './owner-marker.ts';
import type { DatabaseAction } from './plan-database.ts';
import { quoteIdentifier, quoteLiteral } from './quote-identifier.ts';

/** The statements that the administrator's session runs for one action. */
export type AdminAction = Exclude<DatabaseAction, 'makeLedger' | 'recordOwner'>;

export interface SqlInput {
  readonly wanted: WantedDatabase;
  /** SCRAM verifier of the tenant's password, never the password; empty where no action sets it. */
  readonly verifier: string;
  readonly versionNumber: number;
}

export type Claim = Pick<WantedDatabase, 'claim' | 'serverName'>;

/** Name of the login role in use. */
export function loginRole({ name, login }: Pick<WantedDatabase, 'name' | 'login'>): string {
  return `${name}_${login}`;
}

/** Name of the login role that is not in use. */
export function otherLoginRole({ name, login }: Pick<WantedDatabase, 'name' | 'login'>): string {
  return `${name}_${1 - login}`;
}

/** SQL text of one action on the maintenance database. `markDatabase` and `closeToPublic` run as the owner role. */
export function adminSql(action: AdminAction, { wanted, verifier, versionNumber }: SqlInput): string {
  const owner = quoteIdentifier(wanted.name);
  const login = quoteIdentifier(loginRole(wanted));
  const marker = quoteLiteral(formatMarker(wanted));
  const password = quoteLiteral(verifier);
  const limit = String(Math.trunc(wanted.connectionLimit));
  const options = versionNumber >= 160_000 ? ' with inherit false, set true' : '';
  const texts: Readonly<Record<AdminAction, string>> = {
    createOwner: `create role ${owner} nologin`,
    markOwner: `comment on role ${owner} is ${marker}`,
    createLogin: `create role ${login} login in role ${owner} password ${password} connection limit ${limit}`,
    setPassword: `alter role ${login} login password ${password}`,
    setLimit: `alter role ${login} connection limit ${limit}`,
    joinOwner: `grant ${owner} to ${login}`,
    bindLogin: `alter role ${login} set role to ${quoteLiteral(wanted.name)}`,
    grantOwner: `grant ${owner} to current_user${options}`,
    createDatabase: createDatabaseSql(wanted.name, wanted.name, versionNumber),
    takeDatabase: `alter database ${owner} owner to ${owner}`,
    markDatabase: `comment on database ${owner} is ${marker}`,
    closeToPublic: `revoke all on database ${owner} from public`,
    revokeOwner: `revoke ${owner} from current_user`,
  };
  return texts[action];
}

/** An empty database in which text compares byte by byte. */
export function createDatabaseSql(name: string, owner: string, versionNumber: number): string {
  // Without a provider, a server whose default is ICU sorts by ICU although its catalogue says C (seen on 15 and 18).
  const provider = versionNumber >= 150_000 ? ' locale_provider libc' : '';
  const like = `encoding 'UTF8'${provider} lc_collate 'C' lc_ctype 'C' template template0`;
  return `create database ${quoteIdentifier(name)} owner ${quoteIdentifier(owner)} ${like}`;
}

/** From here on the transaction acts as the owner role; it ends with the transaction. */
export function actAsOwnerSql(wanted: Pick<WantedDatabase, 'name'>): string {
  return `set local role ${quoteIdentifier(wanted.name)}`;
}

/** The ledger: who owns this database and which signing keys it has had. Truth of operator and database together. */
export const LEDGER_SQL = [
  'create schema if not exists matrix_operator',
  `create table if not exists matrix_operator.owner (
    claim uuid primary key,
    server_name text not null,
    resource text not null,
    taken_at timestamptz not null default now()
  )`,
  `create table if not exists matrix_operator.signing_key (
    name text primary key,
    key_id text not null unique,
    public_key text not null unique,
    state text not null,
    state_rank integer not null,
    since timestamptz not null default now(),
    expired_ts bigint,
    visible_since timestamptz,
    destroyed_at timestamptz
  )`,
  `create table if not exists matrix_operator.keyring (
    only_row boolean primary key default true check (only_row),
    generation bigint not null,
    content text not null,
    decided_at timestamptz not null default now(),
    restarted bigint not null default 0
  )`,
  // What ledgers of the first operators lack.
  'alter table matrix_operator.signing_key add column if not exists visible_since timestamptz',
  'alter table matrix_operator.signing_key add column if not exists destroyed_at timestamptz',
  'alter table matrix_operator.keyring add column if not exists decided_at timestamptz not null default now()',
  'alter table matrix_operator.keyring add column if not exists restarted bigint not null default 0',
  `create table if not exists matrix_operator.upgrade (
    only_row boolean primary key default true check (only_row),
    plan jsonb not null,
    accepted_at timestamptz not null default now(),
    good_since timestamptz,
    verified_at timestamptz
  )`,
  `comment on schema matrix_operator is 'Written by the operator alone: who owns this database and its signing keys.'`,
  `comment on table matrix_operator.owner is 'A row for each resource that ever owned this database; the latest one does.'`,
  `comment on column matrix_operator.owner.claim is 'The UUID that the resource keeps in its database Secret.'`,
  `comment on column matrix_operator.owner.server_name is 'Matrix server name whose data this is.'`,
  `comment on column matrix_operator.owner.resource is 'namespace/name of the MatrixHomeserver.'`,
  `comment on column matrix_operator.owner.taken_at is 'When it took the database.'`,
  `comment on table matrix_operator.signing_key is 'Public halves of all signing keys that were ever made; rows stay.'`,
  `comment on column matrix_operator.signing_key.name is 'Name in spec.signingKeys.keys.'`,
  `comment on column matrix_operator.signing_key.key_id is 'Key id of events, ed25519:...'`,
  `comment on column matrix_operator.signing_key.public_key is 'Unpadded base64.'`,
  `comment on column matrix_operator.signing_key.state is 'Staged, Published, Active, Retiring, Retired or Revoked.'`,
  `comment on column matrix_operator.signing_key.state_rank is 'Place of the state in that order; only grows.'`,
  `comment on column matrix_operator.signing_key.since is 'When the state was reached.'`,
  `comment on column matrix_operator.signing_key.expired_ts is 'Unix ms after which its signatures do not count; null: not expired.'`,
  `comment on column matrix_operator.signing_key.visible_since is 'Since when every replica publishes it; null: not yet, or never.'`,
  `comment on column matrix_operator.signing_key.destroyed_at is 'Since when no private half is left; null: there is one.'`,
  `comment on table matrix_operator.keyring is 'One row: the keyring that was decided on last.'`,
  `comment on column matrix_operator.keyring.only_row is 'Always true: there is one row.'`,
  `comment on column matrix_operator.keyring.generation is 'Grows with every change of the keyring.'`,
  `comment on column matrix_operator.keyring.content is 'Public content of the keyring as JSON, no private halves.'`,
  `comment on column matrix_operator.keyring.decided_at is 'When it was decided on.'`,
  `comment on column matrix_operator.keyring.restarted is 'Generation for whose sake the replicas were replaced; 0: never.'`,
  `comment on table matrix_operator.upgrade is 'One row: the plan for a version that was accepted last.'`,
  `comment on column matrix_operator.upgrade.only_row is 'Always true: there is one row.'`,
  `comment on column matrix_operator.upgrade.plan is 'The plan as in status.upgrade.plan.'`,
  `comment on column matrix_operator.upgrade.accepted_at is 'When work on it began.'`,
  `comment on column matrix_operator.upgrade.good_since is 'Since when its version serves without a fault; null while it does not.'`,
  `comment on column matrix_operator.upgrade.verified_at is 'When it had served well for long enough; the time to the contract phase counts from here.'`,
] as const;

/** SQL text that makes a claim the latest owner. `resource` is `namespace/name`. */
export function recordOwnerSql({ claim, serverName }: Claim, resource: string): string {
  const values = [claim, serverName, resource].map(quoteLiteral).join(', ');
  return `insert into matrix_operator.owner as o (claim, server_name, resource) values (${values})
    on conflict (claim) do update set resource = excluded.resource, taken_at = now()`;
}

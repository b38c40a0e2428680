import * as z from 'zod';
import { OperatorError } from '../errors.ts';
import { openSession } from './connect.ts';
import type { DatabaseLogin, Session } from './connect.ts';
import type {
  FoundDatabase,
  FoundLogin,
  FoundOwner,
  FoundServer,
  FoundSpare,
  WantedDatabase,
} from './database-facts.ts';
import { loginRole, otherLoginRole } from './database-sql.ts';
import { observeInside } from './observe-inside.ts';
import { parseMarker } from './owner-marker.ts';
import { parseSpareMarker, spareName } from './spare-marker.ts';

/** With the spare database of restore drills, if there is one. */
const VERSION = `select current_setting('server_version_num')::integer as number,
  split_part(current_setting('server_version'), ' ', 1) as version,
  (select json_build_object('owner', pg_get_userbyid(d.datdba),
      'comment', coalesce(shobj_description(d.oid, 'pg_database'), ''))
    from pg_database d where d.datname = $1) as spare`;
/** $2: SET from PostgreSQL 16 on, MEMBER before. From 16 on a grant of somebody else is not ours to revoke. */
const OWNER = `select shobj_description(r.oid, 'pg_authid') as comment,
    pg_has_role(current_user, r.oid, $2) as usable,
    exists (select from pg_auth_members m where m.roleid = r.oid and m.member = current_user::regrole
      and ($2 = 'MEMBER' or m.grantor = current_user::regrole)) as granted
  from pg_roles r where r.rolname = $1`;
const LOGIN = `select l.rolconnlimit as connection_limit, coalesce(l.rolconfig, '{}') as settings,
    exists (select from pg_auth_members m join pg_roles o on o.oid = m.roleid
      where o.rolname = $2 and m.member = l.oid) as is_member,
    exists (select from pg_roles o where o.rolname = $3 and o.rolcanlogin) as other_is_open
  from pg_roles l where l.rolname = $1`;
/** Columns that a version lacks come out as null by way of jsonb. */
const DATABASE = `select pg_get_userbyid(d.datdba) as owner, shobj_description(d.oid, 'pg_database') as comment,
    pg_encoding_to_char(d.encoding) as encoding, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') as provider,
    d.datcollate as collate, d.datctype as ctype,
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') as locale,
    has_database_privilege('public', d.oid, 'connect') as public_may_connect,
    (select count(*)::integer from pg_stat_activity a where a.datid = d.oid and a.usename = any($2)) as live_sessions
  from pg_database d where d.datname = $1`;

const SpareRow = z.object({ owner: z.string(), comment: z.string() });
const VersionRow = z.object({ number: z.int(), version: z.string(), spare: SpareRow.nullable() });
const OwnerRow = z.object({ comment: z.string().nullable(), usable: z.boolean(), granted: z.boolean() });
const LoginRow = z.object({
  connection_limit: z.int(),
  settings: z.array(z.string()),
  is_member: z.boolean(),
  other_is_open: z.boolean(),
});
const DatabaseRow = z.object({
  owner: z.string(),
  comment: z.string().nullable(),
  encoding: z.string(),
  provider: z.string(),
  collate: z.string(),
  ctype: z.string(),
  locale: z.string().nullable(),
  public_may_connect: z.boolean(),
  live_sessions: z.int(),
});

/** What can be seen from the maintenance database, without any login of the tenant. */
export async function observeServer(
  admin: Session,
  wanted: Pick<WantedDatabase, 'name' | 'login'>,
): Promise<FoundServer> {
  const [row] = await admin.query(VERSION, [spareName(wanted.name)]);
  const { number: versionNumber, version, spare } = VersionRow.parse(row);
  const owner = await observeOwner(admin, wanted, versionNumber);
  const login = await observeLogin(admin, wanted);
  const database = await observeOutside(admin, wanted);
  return { versionNumber, version, owner, login, database, spare: spare === null ? undefined : readSpare(spare) };
}

function readSpare({ owner, comment }: z.infer<typeof SpareRow>): FoundSpare {
  return { owner, hasComment: comment !== '', marker: parseSpareMarker(comment) };
}

/** Everything about the wanted names. `admin` is a session on the maintenance database, `tenant` the login to try. */
export async function observeDatabase(
  admin: Session,
  tenant: DatabaseLogin,
  wanted: WantedDatabase,
): Promise<FoundServer> {
  const found = await observeServer(admin, wanted);
  const { owner, login, database } = found;
  // Never with our password at a role that somebody else may have made.
  if (database === undefined || login === undefined || owner?.marker?.claim !== wanted.claim) return found;
  const inside = await observeAsTenant(tenant);
  return { ...found, login: { ...login, accepted: inside !== undefined }, database: { ...database, inside } };
}

async function observeOwner(
  admin: Session,
  { name }: Pick<WantedDatabase, 'name'>,
  version: number,
): Promise<FoundOwner | undefined> {
  const [row] = await admin.query(OWNER, [name, version >= 160_000 ? 'SET' : 'MEMBER']);
  if (row === undefined) return undefined;
  const { comment, usable, granted } = OwnerRow.parse(row);
  return { marker: parseMarker(comment), usable, granted };
}

async function observeLogin(
  admin: Session,
  wanted: Pick<WantedDatabase, 'name' | 'login'>,
): Promise<FoundLogin | undefined> {
  const [row] = await admin.query(LOGIN, [loginRole(wanted), wanted.name, otherLoginRole(wanted)]);
  if (row === undefined) return undefined;
  const found = LoginRow.parse(row);
  return {
    connectionLimit: found.connection_limit,
    isMember: found.is_member,
    startsAsOwner: found.settings.includes(`role=${wanted.name}`),
    otherIsOpen: found.other_is_open,
    accepted: undefined,
  };
}

async function observeOutside(
  admin: Session,
  { name }: Pick<WantedDatabase, 'name'>,
): Promise<FoundDatabase | undefined> {
  const [row] = await admin.query(DATABASE, [name, [`${name}_0`, `${name}_1`]]);
  if (row === undefined) return undefined;
  const {
    comment,
    locale,
    public_may_connect: publicMayConnect,
    live_sessions: liveSessions,
    ...rest
  } = DatabaseRow.parse(row);
  return {
    ...rest,
    marker: parseMarker(comment),
    locale: locale ?? undefined,
    publicMayConnect,
    liveSessions,
    inside: undefined,
  };
}

async function observeAsTenant(tenant: DatabaseLogin) {
  try {
    return await openSession(tenant, observeInside);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    if (error.reason === 'LoginRefused') return undefined;
    // It was there a moment ago: look again rather than call it lost.
    if (error.reason === 'DatabaseLost') throw new OperatorError('DatabaseUnreachable', error.message, error);
    throw error;
  }
}

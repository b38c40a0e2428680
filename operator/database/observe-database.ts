import * as z from 'zod';
import { OperatorError } from '../errors.ts';
import { openSession } from './sessions.ts';
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

/**
 * Everything in one statement, because a round trip costs more than what it asks for. $1 the name, $2 the login, $3 both
 * logins, $4 the other login, $5 the spare database. From PostgreSQL 16 on a grant of somebody else is not ours to revoke.
 * Columns that a version lacks come out as null by way of jsonb.
 */
const SERVER = `select v.number, split_part(current_setting('server_version'), ' ', 1) as version,
  (select json_build_object('owner', pg_get_userbyid(d.datdba),
      'comment', coalesce(shobj_description(d.oid, 'pg_database'), ''))
    from pg_database d where d.datname = $5) as spare,
  (select json_build_object('comment', shobj_description(r.oid, 'pg_authid'),
      'usable', pg_has_role(current_user, r.oid, case when v.number >= 160000 then 'SET' else 'MEMBER' end),
      'granted', exists (select from pg_auth_members m where m.roleid = r.oid and m.member = current_user::regrole
        and (v.number < 160000 or m.grantor = current_user::regrole)))
    from pg_roles r where r.rolname = $1) as owner,
  (select json_build_object('connection_limit', l.rolconnlimit, 'settings', coalesce(l.rolconfig, '{}'),
      'is_member', exists (select from pg_auth_members m join pg_roles o on o.oid = m.roleid
        where o.rolname = $1 and m.member = l.oid),
      'other_is_open', exists (select from pg_roles o where o.rolname = $4 and o.rolcanlogin))
    from pg_roles l where l.rolname = $2) as login,
  (select json_build_object('owner', pg_get_userbyid(d.datdba), 'comment', shobj_description(d.oid, 'pg_database'),
      'encoding', pg_encoding_to_char(d.encoding), 'provider', coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),
      'collate', d.datcollate, 'ctype', d.datctype,
      'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
      'public_may_connect', has_database_privilege('public', d.oid, 'connect'),
      'live_sessions', (select count(*) from pg_stat_activity a where a.datid = d.oid and a.usename = any($3)))
    from pg_database d where d.datname = $1) as database
  from (select current_setting('server_version_num')::integer as number) v`;

const SpareRow = z.object({ owner: z.string(), comment: z.string() });
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
const ServerRow = z.object({
  number: z.int(),
  version: z.string(),
  spare: SpareRow.nullable(),
  owner: OwnerRow.nullable(),
  login: LoginRow.nullable(),
  database: DatabaseRow.nullable(),
});

/** What can be seen from the maintenance database, without any login of the tenant. */
export async function observeServer(
  admin: Session,
  wanted: Pick<WantedDatabase, 'name' | 'login'>,
): Promise<FoundServer> {
  const { name } = wanted;
  const logins = [`${name}_0`, `${name}_1`];
  const [row] = await admin.query(SERVER, [name, loginRole(wanted), logins, otherLoginRole(wanted), spareName(name)]);
  const { number: versionNumber, version, spare, owner, login, database } = ServerRow.parse(row);
  return {
    versionNumber,
    version,
    owner: owner === null ? undefined : readOwner(owner),
    login: login === null ? undefined : readLogin(login, name),
    database: database === null ? undefined : readDatabase(database),
    spare: spare === null ? undefined : readSpare(spare),
  };
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

function readOwner({ comment, usable, granted }: z.infer<typeof OwnerRow>): FoundOwner {
  return { marker: parseMarker(comment), usable, granted };
}

function readLogin(found: z.infer<typeof LoginRow>, owner: string): FoundLogin {
  return {
    connectionLimit: found.connection_limit,
    isMember: found.is_member,
    startsAsOwner: found.settings.includes(`role=${owner}`),
    otherIsOpen: found.other_is_open,
    accepted: undefined,
  };
}

function readDatabase(found: z.infer<typeof DatabaseRow>): FoundDatabase {
  const { comment, locale, public_may_connect: publicMayConnect, live_sessions: liveSessions, ...rest } = found;
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

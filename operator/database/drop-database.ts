import * as z from 'zod';
import { isOurSpare } from './check-found.ts';
import type { DatabaseLogin, Session } from './connect.ts';
import type { FoundServer } from './database-facts.ts';
import { observeServer } from './observe-database.ts';
import type { OwnerMarker } from './owner-marker.ts';
import { SqlError } from './pg-failure.ts';
import { withLockedAdmin } from './provision.ts';
import { quoteIdentifier } from './quote-identifier.ts';
import { spareName } from './spare-marker.ts';

export interface DropInput {
  readonly admin: DatabaseLogin;
  /** Database and owner role. */
  readonly name: string;
  /** Of the resource that is deleted; undefined when it never had one. */
  readonly claim: string | undefined;
  /** End the sessions that are left, rather than wait for them. */
  readonly force: boolean;
}

export type DropResult =
  /** `kept`: roles that own or may use things elsewhere, and stay, closed. */
  | { readonly state: 'dropped'; readonly kept: readonly string[] }
  /** It carries another claim or none: nothing was touched. */
  | { readonly state: 'foreign'; readonly message: string }
  | { readonly state: 'in use'; readonly sessions: number };

/**
 * Drops the database, a spare one and its roles if they carry the claim. Safe to repeat and to be killed anywhere: the owner role,
 * which carries the claim too, goes last. Errors: as `withSession`.
 */
export function dropDatabase(input: DropInput): Promise<DropResult> {
  const { admin, name } = input;
  return withLockedAdmin({ admin, wanted: { name } }, (session) => dropInSession(session, input));
}

/** As `dropDatabase`, in the administrator's session that holds the lock. */
export async function dropInSession(
  admin: Session,
  { name, claim, force }: Omit<DropInput, 'admin'>,
): Promise<DropResult> {
  const found = await observeServer(admin, { name, login: 0 });
  const foreign = foreignness(name, claim, found);
  if (foreign !== undefined) return { state: 'foreign', message: foreign };
  const sessions = found.database?.liveSessions ?? 0;
  if (sessions > 0 && !force) return { state: 'in use', sessions };
  return { state: 'dropped', kept: await drop(admin, name, claim, found) };
}

/** Why this is not ours to drop; undefined when it is, or when there is nothing. */
function foreignness(name: string, claim: string | undefined, found: FoundServer): string | undefined {
  if (found.database === undefined && found.owner === undefined) return undefined;
  const marker = markerOf(name, found);
  if (claim !== undefined && marker?.claim === claim) return undefined;
  const what = `${found.database === undefined ? 'role' : 'database'} "${name}"`;
  return marker === undefined ? `${what} carries no claim` : `${what} carries the claim of another resource`;
}

/** The mark on the database, or the one on its owner role while it has none. */
function markerOf(name: string, { owner, database }: FoundServer): OwnerMarker | undefined {
  if (database?.marker !== undefined) return database.marker;
  return database === undefined || database.owner === name ? owner?.marker : undefined;
}

const LOGINS = `select l.rolname as role from pg_roles l
  join pg_auth_members m on m.member = l.oid join pg_roles o on o.oid = m.roleid
  where o.rolname = $1 and l.rolname = any($2) order by 1`;
const RoleRow = z.object({ role: z.string() });

async function drop(admin: Session, name: string, claim: string | undefined, found: FoundServer): Promise<string[]> {
  const { owner, versionNumber } = found;
  const logins = (await admin.query(LOGINS, [name, [`${name}_0`, `${name}_1`]])).map((row) => RoleRow.parse(row).role);
  const roles = [...logins, ...(owner === undefined ? [] : [name])];
  for (const login of logins) await admin.query(`alter role ${quoteIdentifier(login)} nologin`);
  const databases = databasesOf(name, claim, found);
  if (databases.length > 0) {
    // Without the rights of all of them `force` may not end their sessions.
    const options = versionNumber >= 160_000 ? ' with inherit true, set true' : '';
    for (const role of roles) await admin.query(`grant ${quoteIdentifier(role)} to current_user${options}`);
    for (const one of databases) await admin.query(`drop database ${quoteIdentifier(one)} with (force)`);
  }
  const kept: string[] = [];
  for (const role of roles) if (!(await dropRole(admin, role))) kept.push(role);
  return kept;
}

/** The spare one first: the other tells longest whose they are. */
function databasesOf(name: string, claim: string | undefined, found: FoundServer): string[] {
  const hasSpare = claim !== undefined && isOurSpare({ name, claim }, found);
  return [...(hasSpare ? [spareName(name)] : []), ...(found.database === undefined ? [] : [name])];
}

const DEPENDENT_OBJECTS = '2BP01';

/** False when something elsewhere depends on the role. */
async function dropRole(admin: Session, role: string): Promise<boolean> {
  try {
    await admin.query(`drop role ${quoteIdentifier(role)}`);
    return true;
  } catch (error) {
    if (!(error instanceof SqlError) || error.sqlState !== DEPENDENT_OBJECTS) throw error;
    await admin.query(`revoke ${quoteIdentifier(role)} from current_user`);
    return false;
  }
}

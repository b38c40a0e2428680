import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DatabaseLogin, Session } from '../../operator/database/connect.ts';
import { openSession } from '../../operator/database/sessions.ts';
import { executeStep } from '../../operator/database/execute-plan.ts';
import { observeDatabase } from '../../operator/database/observe-database.ts';
import type { WantedDatabase } from '../../operator/database/plan-database.ts';
import { planDatabase } from '../../operator/database/plan-database.ts';
import { checkExistingDatabase, provisionDatabase, tenantLogin } from '../../operator/database/provision.ts';
import type { ProvisionInput } from '../../operator/database/provision.ts';
import { scramVerifier } from '../../operator/database/scram.ts';
import { OperatorError } from '../../operator/errors.ts';
import type { DatabaseServer } from './support/postgres-servers.ts';
import { databaseServers, sql } from './support/postgres-servers.ts';

const servers = await databaseServers();
let number = 0;

function wish(over: Partial<WantedDatabase> = {}): WantedDatabase {
  number += 1;
  return {
    name: `mhs_test_${number}`,
    claim: randomUUID(),
    serverName: 'example.org',
    adoptPolicy: 'None',
    login: 0,
    connectionLimit: 25,
    provisionedBefore: false,
    ...over,
  };
}

function input(admin: DatabaseLogin, wanted: WantedDatabase): ProvisionInput {
  return { admin, wanted, password: `pw-${wanted.claim}`, resource: 'test/chat' };
}

const refused = (reason: string, message: RegExp) => ({
  ok: false,
  refusal: { reason, message: expect.stringMatching(message) as string },
});

describe.for(servers)('on $name', ({ start }) => {
  let server: DatabaseServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.stop());

  test.for(['superuser', 'plain'] as const)('a %s makes everything, and a second run changes nothing', async (who) => {
    const work = input(server[who], wish());
    const { name } = work.wanted;
    expect(await provisionDatabase(work)).toMatchObject({ ok: true, facts: { name, loginRole: `${name}_0` } });
    expect(await provisionDatabase(work)).toMatchObject({ ok: true, changes: 0 });
    const tenant = tenantLogin(work);
    // By code point: "B" before "a". A server that defaults to ICU would say otherwise without `locale_provider libc`.
    expect(await sql(tenant, "select 'B' < 'a' as by_code_point, current_user as role")).toEqual([
      { by_code_point: true, role: name },
    ]);
    await sql(tenant, 'create table public.t (a int)');
    expect(await sql(tenant, 'select tableowner from pg_tables where tablename = $1', ['t'])).toEqual([
      { tableowner: name },
    ]);
    expect(await sql(tenant, 'select server_name, resource from matrix_operator.owner')).toEqual([
      { server_name: 'example.org', resource: 'test/chat' },
    ]);
    const stored = await sql(server.superuser, 'select rolpassword from pg_authid where rolname = $1', [`${name}_0`]);
    expect(stored).toEqual([{ rolpassword: expect.stringMatching(/^SCRAM-SHA-256\$4096:/) as string }]);
    expect(
      await sql(server[who], 'select has_database_privilege($1, $2, $3) as may', ['public', name, 'connect']),
    ).toEqual([{ may: false }]);
    const rest =
      'select count(*)::int as n from pg_auth_members where roleid = $1::regrole and member = $2::regrole and set_option';
    const before16 = rest.replace(' and set_option', '');
    const members = await sql(server[who], server.major >= 16 ? rest : before16, [`"${name}"`, server[who].username]);
    expect(members).toEqual([{ n: 0 }]);
  });

  test('names with quotes, spaces, dashes and other scripts are only names', async () => {
    const work = input(server.plain, wish({ name: `a-b "c" '; drop role plain; -- \\ ü` }));
    expect(await provisionDatabase(work)).toMatchObject({ ok: true });
    expect(await provisionDatabase(work)).toMatchObject({ ok: true, changes: 0 });
  });

  test('killed after any statement, the next run ends where an undisturbed one ends', async () => {
    const whole = input(server.plain, wish());
    const statements = await runKilled(whole, Number.POSITIVE_INFINITY);
    const end = await picture(server, whole);
    expect(statements).toBeGreaterThanOrEqual(5);
    for (let killAfter = 1; killAfter <= statements; killAfter += 1) {
      const work = input(server.plain, wish());
      await runKilled(work, killAfter);
      expect(await provisionDatabase(work), `killed after statement ${killAfter}`).toMatchObject({ ok: true });
      expect(await picture(server, work), `killed after statement ${killAfter}`).toEqual(end);
    }
  });

  test('four operators at once make one database', async () => {
    const work = input(server.plain, wish());
    const results = await Promise.all(Array.from({ length: 4 }, () => provisionDatabase(work)));
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true, true]);
    expect(results.filter((result) => result.ok && result.changes > 0)).toHaveLength(1);
  });

  test('an edited password, limit, membership and login role are put right', async () => {
    const work = input(server.plain, wish());
    const { name } = work.wanted;
    await provisionDatabase(work);
    await sql(server.superuser, `alter role ${name}_0 password 'other' connection limit 3 nologin`);
    await sql(server.superuser, `alter role ${name}_0 reset role`);
    await sql(server.superuser, `revoke ${name} from ${name}_0`);
    await sql(server.superuser, `grant connect on database ${name} to public`);
    expect(await provisionDatabase(work)).toMatchObject({ ok: true });
    expect(await provisionDatabase(work)).toMatchObject({ ok: true, changes: 0 });
    const other = { ...work, password: 'new one', wanted: { ...work.wanted, login: 1 as const } };
    expect(await provisionDatabase(other)).toMatchObject({ ok: true, facts: { loginRole: `${name}_1` } });
    expect(await sql(tenantLogin(work), 'select 1 as still')).toEqual([{ still: 1 }]);
  });

  test('a database that was there and is gone is never made again', async () => {
    const work = input(server.plain, wish());
    await provisionDatabase(work);
    await sql(server.superuser, `drop database ${work.wanted.name} with (force)`);
    const again = { ...work, wanted: { ...work.wanted, provisionedBefore: true } };
    expect(await provisionDatabase(again)).toEqual(refused('DatabaseLost', /restore it/));
    expect(await sql(server.superuser, 'select from pg_database where datname = $1', [work.wanted.name])).toEqual([]);
  });

  test('an unmarked database is a conflict, is taken by Empty when empty, and never with tables', async () => {
    const wanted = wish();
    await sql(server.superuser, plainDatabase(server, wanted.name));
    const work = input(server.superuser, wanted);
    expect(await provisionDatabase(work)).toEqual(refused('DatabaseConflict', /adoptPolicy to Empty/));
    const empty = { ...work, wanted: { ...wanted, adoptPolicy: 'Empty' as const } };
    await sql({ ...server.superuser, database: wanted.name }, 'create table public.theirs (a int)');
    expect(await provisionDatabase(empty)).toEqual(refused('DatabaseConflict', /1 tables of somebody else/));
    await sql({ ...server.superuser, database: wanted.name }, 'drop table public.theirs');
    expect(await provisionDatabase(empty)).toMatchObject({ ok: true, facts: { owner: wanted.name } });
    expect(await provisionDatabase(work)).toMatchObject({ ok: true, changes: 0 });
  });

  test('another claim is a conflict; the same server name may be taken over when nobody uses it', async () => {
    const first = input(server.plain, wish());
    await provisionDatabase(first);
    const second = input(server.plain, { ...first.wanted, claim: randomUUID() });
    expect(await provisionDatabase(second)).toEqual(refused('DatabaseConflict', /SameServerName/));
    const foreign = {
      ...second,
      wanted: { ...second.wanted, serverName: 'other.org', adoptPolicy: 'SameServerName' as const },
    };
    expect(await provisionDatabase(foreign)).toEqual(refused('DatabaseConflict', /belongs to example\.org/));
    const takeover = { ...second, wanted: { ...second.wanted, adoptPolicy: 'SameServerName' as const } };
    await openSession(tenantLogin(first), async () => {
      expect(await provisionDatabase(takeover)).toEqual(refused('DatabaseConflict', /1 sessions/));
    });
    expect(await provisionDatabase(takeover)).toMatchObject({ ok: true });
    expect(await provisionDatabase(first)).toEqual(refused('DatabaseConflict', /another resource for the same server/));
  });

  test('a role of the same name that is not ours is a conflict', async () => {
    const wanted = wish();
    await sql(server.superuser, `create role ${wanted.name}`);
    expect(await provisionDatabase(input(server.plain, wanted))).toEqual(refused('DatabaseConflict', /role "mhs_test/));
  });

  test.for([
    { name: 'another encoding', options: "encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'" },
    { name: 'another character type', options: "encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8'" },
    { name: 'another collation', options: "encoding 'UTF8' lc_collate 'C.UTF-8' lc_ctype 'C'" },
  ])('a database of $name is refused before anything is made', async ({ options }) => {
    const wanted = wish({ adoptPolicy: 'Empty' });
    const provider = ofLibc(server);
    await sql(server.superuser, `create database ${wanted.name} ${options} ${provider} template template0`);
    const result = await provisionDatabase(input(server.superuser, wanted));
    expect(result).toEqual(refused('WrongCollation', /lc_collate 'C' lc_ctype 'C' template template0/));
    expect(await sql(server.superuser, 'select from pg_roles where rolname = $1', [wanted.name])).toEqual([]);
    const existing = { ...server.superuser, database: wanted.name };
    const owner = { serverName: 'a.org', claim: randomUUID(), resource: 'a/b', provisionedBefore: false };
    expect(await checkExistingDatabase(existing, owner)).toEqual(refused('WrongCollation', /must be made with/));
  });

  test('an existing database is checked and gets only the ledger', async () => {
    const { name } = wish();
    await sql(server.superuser, `create role ${name} login password 'x'`);
    await sql(server.superuser, `${plainDatabase(server, name)} owner ${name}`);
    const login = { ...server.superuser, username: name, password: 'x', database: name };
    const owner = { serverName: 'a.org', claim: randomUUID(), resource: 'a/b', provisionedBefore: false };
    expect(await checkExistingDatabase(login, owner)).toMatchObject({
      ok: true,
      facts: { owner: name, loginRole: name },
    });
    expect(await checkExistingDatabase(login, { ...owner, provisionedBefore: true })).toMatchObject({
      ok: true,
      changes: 0,
    });
    const other = { ...owner, claim: randomUUID() };
    expect(await checkExistingDatabase(login, other)).toEqual(refused('DatabaseConflict', /SameServerName/));
    const elsewhere = { ...other, serverName: 'b.org' };
    expect(await checkExistingDatabase(login, elsewhere)).toEqual(refused('WrongServerName', /a\.org, not of b\.org/));
    await sql(login, 'drop schema matrix_operator cascade');
    const before = { ...owner, provisionedBefore: true };
    expect(await checkExistingDatabase(login, before)).toEqual(refused('DatabaseLost', /ledger is missing/));
  });

  test.for([
    { name: 'a wrong password', over: { password: 'wrong' }, reason: 'LoginRefused', says: /Secret test\/pg-admin/ },
    { name: 'an unknown login', over: { username: 'nobody' }, reason: 'LoginRefused', says: /"nobody"/ },
    {
      name: 'a closed port',
      over: { port: 1 },
      reason: 'DatabaseUnreachable',
      says: /127\.0\.0\.1:1 cannot be reached/,
    },
    {
      name: 'a wrong maintenance database',
      over: { database: 'none' },
      reason: 'LoginRefused',
      says: /maintenanceDatabase/,
    },
    {
      name: 'TLS on a server without it',
      over: { tls: { mode: 'VerifyFull' as const } },
      reason: 'TLSInvalid',
      says: /choose another tls\.mode/,
    },
  ])('$name says what to do', async ({ over, reason, says }) => {
    const error = await failure(provisionDatabase(input({ ...server.superuser, ...over }, wish())));
    expect([error.reason, error.message]).toEqual([reason, expect.stringMatching(says)]);
    expect(error.message).not.toContain(server.superuser.password);
  });

  test('a login without CREATEROLE is InsufficientPrivilege', async () => {
    const { name } = wish();
    await sql(server.superuser, `create role ${name} login password 'x'`);
    const error = await failure(
      provisionDatabase(input({ ...server.superuser, username: name, password: 'x' }, wish())),
    );
    expect(error.reason).toBe('InsufficientPrivilege');
  });
});

/** A server that defaults to ICU has to be told, and 14 does not know the words. */
function ofLibc({ major }: DatabaseServer): string {
  return major >= 15 ? 'locale_provider libc' : '';
}

function plainDatabase(server: DatabaseServer, name: string): string {
  return `create database ${name} encoding 'UTF8' lc_collate 'C' lc_ctype 'C' ${ofLibc(server)} template template0`;
}

async function failure(work: Promise<unknown>): Promise<OperatorError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof OperatorError) return error;
  throw new Error('an OperatorError was expected', { cause: error });
}

/** The end state without what differs by name, claim and time. */
async function picture(server: DatabaseServer, { wanted }: ProvisionInput): Promise<unknown> {
  const clean = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value).replaceAll(wanted.name, 'N').replaceAll(wanted.claim, 'CLAIM')) as unknown;
  const roles = await sql(
    server.superuser,
    `select rolname, rolcanlogin, rolinherit, rolcreatedb, rolconnlimit, rolconfig, shobj_description(oid, 'pg_authid')
     from pg_roles where rolname in ($1, $2) order by rolname`,
    [wanted.name, `${wanted.name}_0`],
  );
  const members = await sql(
    server.superuser,
    `select member::regrole::text as member, admin_option from pg_auth_members where roleid = $1::regrole order by 1`,
    [wanted.name],
  );
  const databases = await sql(
    server.superuser,
    `select pg_get_userbyid(datdba) as owner, datcollate, datacl::text, shobj_description(oid, 'pg_database')
     from pg_database where datname = $1`,
    [wanted.name],
  );
  const inside = await sql(
    { ...server.superuser, database: wanted.name },
    'select claim, server_name from matrix_operator.owner',
  );
  return clean({ roles, members, databases, inside });
}

class Killed extends Error {}

/**
 * Runs the plan until `killAfter` changing statements of the administrator have been answered; then the connection ends in the
 * middle of whatever transaction it is in. Returns how many statements ran.
 */
async function runKilled(work: ProvisionInput, killAfter: number): Promise<number> {
  let answered = 0;
  try {
    await openSession(work.admin, async (session) => {
      const admin = dying(session, () => (answered += 1) >= killAfter);
      while (await runRound(work, admin)) continue;
    });
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
  }
  return answered;
}

function dying(session: Session, isLast: () => boolean): Session {
  const query: Session['query'] = async (text, values) => {
    const rows = await session.query<never>(text, values);
    // A kill between two looks changes nothing, so only what changes something counts.
    if (!text.startsWith('select') && isLast()) throw new Killed();
    return rows;
  };
  return {
    query,
    // No rollback: a killed process sends none.
    async transaction(run) {
      await query('begin');
      const result = await run();
      await query('commit');
      return result;
    },
  };
}

/** False when nothing is left to do. */
async function runRound(work: ProvisionInput, admin: Session): Promise<boolean> {
  const { wanted, resource } = work;
  const tenant = tenantLogin(work);
  const found = await observeDatabase(admin, tenant, wanted);
  const plan = planDatabase(wanted, found);
  if (plan.refusal !== undefined) throw new Error(plan.refusal.message);
  const { versionNumber } = found;
  const verifier = scramVerifier(work.password);
  for (const step of plan.steps) await executeStep(step, { admin, tenant, wanted, verifier, resource, versionNumber });
  return plan.steps.length > 0;
}

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DatabaseLogin } from '../../operator/database/connect.ts';
import { dropDatabase } from '../../operator/database/drop-database.ts';
import { checkExistingDatabase, provisionDatabase, tenantLogin } from '../../operator/database/provision.ts';
import type { ProvisionInput } from '../../operator/database/provision.ts';
import { retireLogin, rotateLogin } from '../../operator/database/rotate-login.ts';
import { readUpgradeFacts } from '../../operator/upgrades/upgrade-record.ts';
import type { DatabaseServer } from './support/postgres-servers.ts';
import { databaseServers, sql } from './support/postgres-servers.ts';

/** The newest and the oldest: what differs between versions is in database-provision.test.ts. */
const servers = (await databaseServers()).filter(({ name }) => /embedded|PostgreSQL 14/.test(name));
let number = 0;

function input(admin: DatabaseLogin, name = `mhs_hostile_${(number += 1)}`): ProvisionInput {
  const wanted = {
    name,
    claim: randomUUID(),
    serverName: 'example.org',
    adoptPolicy: 'None' as const,
    login: 0 as const,
    connectionLimit: 25,
    provisionedBefore: false,
  };
  return { admin, wanted, password: `pw-${wanted.claim}`, resource: 'test/chat' };
}

const current = { isCurrent: () => Promise.resolve(true) };

/** Every printable character of ASCII. */
const PRINTABLE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('');

const NAMES = [
  `x"; drop role plain; --`,
  `$$x$$ \\'; drop database postgres; --`,
  'пользователь',
  '\u{1F600}\u{202E}',
  'A'.repeat(61),
  'template0"',
  ' leading and trailing ',
  'line\nend',
];

describe.for(servers)('on $name', ({ start }) => {
  let server: DatabaseServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.stop());

  test.for(NAMES)('the name %j is only a name: made, rotated, closed, dropped', async (name) => {
    const work = input(server.plain, name);
    expect(await provisionDatabase(work)).toMatchObject({ ok: true, facts: { name, owner: name } });
    let password = '';
    const rotation = await rotateLogin({ ...work, ...current }, (next) => {
      password = next.password;
      return Promise.resolve();
    });
    expect(rotation).toEqual({ state: 'done' });
    const next = { ...work, password, wanted: { ...work.wanted, login: 1 as const } };
    expect(await retireLogin({ ...next, ...current })).toEqual({ state: 'done' });
    expect(await provisionDatabase(next)).toMatchObject({ ok: true, changes: 0 });
    expect(await dropDatabase({ admin: server.plain, name, claim: work.wanted.claim, force: true })).toEqual({
      state: 'dropped',
      kept: [],
    });
    const rest = 'select rolname from pg_roles where strpos(rolname, $1) > 0';
    expect(await sql(server.superuser, rest, [name])).toEqual([]);
    expect(await sql(server.plain, 'select 1 as there')).toEqual([{ there: 1 }]);
  });

  test('a name that PostgreSQL would cut is refused before anything is made', async () => {
    const name = 'ü'.repeat(32);
    await expect(provisionDatabase(input(server.plain, name))).rejects.toThrow('1 to 63 bytes');
    const cut = 'select from pg_roles where strpos($1, rolname) > 0';
    expect(await sql(server.superuser, cut, [name])).toEqual([]);
  });

  test.for([
    { what: 'every printable character', password: PRINTABLE },
    { what: 'a space at each end', password: ' x ' },
    { what: 'SQL', password: `'; drop role plain; --` },
    { what: 'other scripts', password: 'pässwörd-пароль' },
  ])(
    'a login of somebody else with $what in its password and SQL in its names is used as it is',
    async ({ password }) => {
      const name = `o"wn '; drop role plain; -- \\ ${(number += 1)}`;
      const quoted = `"${name.replaceAll('"', '""')}"`;
      const literal = `'${password.replaceAll("'", "''")}'`;
      await sql(
        server.superuser,
        `set standard_conforming_strings = on; create role ${quoted} login password ${literal}`,
      );
      const provider = server.major >= 15 ? 'locale_provider libc' : '';
      await sql(
        server.superuser,
        `create database ${quoted} owner ${quoted} encoding 'UTF8' lc_collate 'C' lc_ctype 'C' ${provider} template template0`,
      );
      const login = { ...server.superuser, username: name, password, database: name };
      const owner = { serverName: 'a.org', claim: randomUUID(), resource: 'a/b', provisionedBefore: false };
      const before = await catalogue(server, name);
      expect(await checkExistingDatabase(login, owner)).toMatchObject({ ok: true, facts: { name, owner: name } });
      expect(await checkExistingDatabase(login, owner)).toMatchObject({ ok: true, changes: 0 });
      expect(await catalogue(server, name)).toEqual(before);
    },
  );

  test('what a tenant plants in its database gains nothing: none of it runs, least of all as the administrator', async () => {
    const work = input(server.plain);
    await provisionDatabase(work);
    const tenant = tenantLogin(work);
    const { name } = work.wanted;
    for (const statement of plantedSql(name)) await sql(tenant, statement);
    expect(await provisionDatabase(work)).toMatchObject({ ok: true, changes: 0 });
    expect(await readUpgradeFacts(tenant)).toMatchObject({ schema: undefined, replicas: [], migrations: [] });
    expect(await rotateLogin({ ...work, ...current }, () => Promise.resolve())).toEqual({ state: 'done' });
    expect(await sql({ ...server.superuser, database: name }, 'select who from evil.seen')).toEqual([]);
    const roles = await sql(server.superuser, 'select rolname from pg_roles where rolsuper order by 1');
    expect(roles).toEqual([{ rolname: 'postgres' }]);
  });

  test('the role of a tenant has no more than its own database', async () => {
    const [mine, other] = [input(server.plain), input(server.plain)];
    await provisionDatabase(mine);
    await provisionDatabase(other);
    const attributes = `select rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls as any_right
      from pg_roles where rolname::text in ($1, $1 || '_0') group by 1`;
    expect(await sql(server.superuser, attributes, [mine.wanted.name])).toEqual([{ any_right: false }]);
    const memberships = `select o.rolname as of from pg_auth_members m join pg_roles o on o.oid = m.roleid
      join pg_roles l on l.oid = m.member where l.rolname::text in ($1, $1 || '_0')`;
    expect(await sql(server.superuser, memberships, [mine.wanted.name])).toEqual([{ of: mine.wanted.name }]);
    const tenant = tenantLogin(mine);
    const forbidden = [
      'create role intruder',
      'create database intruder',
      'select rolpassword from pg_authid',
      `set role ${other.wanted.name}`,
      `alter role ${other.wanted.name}_0 password 'x'`,
      `set role plain`,
      `grant plain to ${mine.wanted.name}_0`,
      `drop database ${other.wanted.name}`,
      `select pg_read_file('/etc/passwd')`,
      `copy (select 1) to program 'true'`,
    ];
    for (const statement of forbidden)
      await expect(sql(tenant, statement), statement).rejects.toThrow(/permission|must/);
    const elsewhere = sql({ ...tenant, database: other.wanted.name }, 'select 1');
    await expect(elsewhere).rejects.toThrow('permission denied for database');
  });
});

/** Functions and operators of the names that we call, put before PostgreSQL's own. */
function plantedSql(name: string): string[] {
  const note = `insert into evil.seen values (session_user || ' as ' || current_user)`;
  const body = (result: string) => `language plpgsql as $$ begin ${note}; return ${result}; end $$`;
  return [
    'create schema evil',
    'create table evil.seen (who text)',
    `create function evil.set_config(text, text, boolean) returns text ${body('$2')}`,
    `create function evil.current_setting(text) returns text ${body("'150000'")}`,
    `create function evil.to_regclass(text) returns regclass ${body('null')}`,
    `create function evil.hashtextextended(text, bigint) returns bigint ${body('1')}`,
    `create function evil.pg_advisory_xact_lock(bigint) returns void language plpgsql as $$ begin ${note}; end $$`,
    `create function evil.same(name, name) returns boolean ${body('true')}`,
    'create operator evil.= (leftarg = name, rightarg = name, function = evil.same)',
    `alter database ${name} set search_path = evil, pg_catalog, public`,
  ];
}

const SHARED = [
  'select rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolconnlimit, rolpassword from pg_authid order by 1',
  'select roleid::regrole::text as of, member::regrole::text as member from pg_auth_members order by 1, 2',
  `select datname, datdba, datacl::text, datconnlimit, shobj_description(oid, 'pg_database') as comment from pg_database order by 1`,
  'select setdatabase, setrole, setconfig from pg_db_role_setting order by 1, 2',
];
const INSIDE = [
  `select nspname, nspowner, nspacl::text from pg_namespace where nspname <> 'matrix_operator' and nspname !~ '^pg_' order by 1`,
  `select n.nspname, c.relname, c.relacl::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname not in ('matrix_operator', 'pg_toast', 'pg_catalog', 'information_schema') order by 1, 2`,
  `select proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname not in ('pg_catalog', 'information_schema') order by 1`,
];

/** Everything on the server and in one database but the ledger of the operator. */
async function catalogue(server: DatabaseServer, database: string): Promise<unknown[]> {
  const inside = { ...server.superuser, database };
  const shared = await Promise.all(SHARED.map((text) => sql(server.superuser, text)));
  return [...shared, ...(await Promise.all(INSIDE.map((text) => sql(inside, text))))];
}

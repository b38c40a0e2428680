import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Session } from '../../operator/database/connect.ts';
import { openSession } from '../../operator/database/sessions.ts';
import { dropDatabase, dropInSession } from '../../operator/database/drop-database.ts';
import { provisionDatabase, tenantLogin } from '../../operator/database/provision.ts';
import type { ProvisionInput } from '../../operator/database/provision.ts';
import { retireLogin, rotateLogin } from '../../operator/database/rotate-login.ts';
import { dropSpare, makeSpare } from '../../operator/database/spare-database.ts';
import type { NextLogin } from '../../operator/database/rotate-login.ts';
import type { DatabaseServer } from './support/postgres-servers.ts';
import { databaseServers, sql } from './support/postgres-servers.ts';

const servers = await databaseServers();
let number = 0;

function makeInput(server: DatabaseServer, who: 'superuser' | 'plain' = 'plain', name?: string): ProvisionInput {
  number += 1;
  const claim = randomUUID();
  return {
    admin: server[who],
    wanted: {
      name: name ?? `mhs_drop_${number}`,
      claim,
      serverName: 'example.org',
      adoptPolicy: 'None',
      login: 0,
      connectionLimit: 25,
      provisionedBefore: false,
    },
    password: `pw-${claim}`,
    resource: 'test/chat',
  };
}

async function made(input: ProvisionInput): Promise<ProvisionInput> {
  expect(await provisionDatabase(input)).toMatchObject({ ok: true });
  return input;
}

/** Makes the other login and goes on with it, as the operator does. */
async function rotated(input: ProvisionInput): Promise<ProvisionInput> {
  let next: NextLogin = { login: 0, password: '' };
  const commit = (made: NextLogin) => Promise.resolve(void (next = made));
  expect(await rotateLogin({ ...input, isCurrent: () => Promise.resolve(true) }, commit)).toEqual({ state: 'done' });
  return { ...input, password: next.password, wanted: { ...input.wanted, login: next.login } };
}

const ask = ({ admin, wanted: { name, claim } }: ProvisionInput, force = true) => ({ admin, name, claim, force });

async function leftOf(server: DatabaseServer, { wanted: { name } }: ProvisionInput): Promise<unknown[]> {
  const text = `select 'database' as what from pg_database where datname = $1
    union all select rolname from pg_roles where rolname in ($1, $1 || '_0', $1 || '_1') order by 1`;
  return (await sql(server.superuser, text, [name])).map((row) => Object.values(row as object)[0] as unknown);
}

describe.for(servers)('on $name', ({ name: place, start }) => {
  let server: DatabaseServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.stop());

  test.for(['superuser', 'plain'] as const)(
    'a %s drops a database, both logins and the sessions in it',
    async (who) => {
      const input = await made(makeInput(server, who));
      const next = await rotated(input);
      await openSession(tenantLogin(input), async () => {
        await openSession(tenantLogin(next), async (session) => {
          expect(await dropDatabase(ask(input, false))).toMatchObject({ state: 'in use' });
          expect(await dropDatabase(ask(input))).toEqual({ state: 'dropped', kept: [] });
          await expect(session.query('select 1')).rejects.toMatchObject({ reason: 'DatabaseUnreachable' });
        });
      });
      expect(await leftOf(server, input)).toEqual([]);
      expect(await dropDatabase(ask(input))).toEqual({ state: 'dropped', kept: [] });
    },
  );

  test.for(['superuser', 'plain'] as const)(
    'a %s makes a spare database, makes it anew for another drill, drops it, and drops it with the rest',
    async (who) => {
      const input = await made(makeInput(server, who));
      const spare = `select shobj_description(oid, 'pg_database') as comment, pg_get_userbyid(datdba) as owner
        from pg_database where datname = $1`;
      const look = () => sql(server.superuser, spare, [`${input.wanted.name}_d`]);
      const [first, second] = [randomUUID(), randomUUID()];
      await makeSpare(input, first);
      const inSpare = { ...tenantLogin(input), database: `${input.wanted.name}_d` };
      await openSession(inSpare, async (session) => {
        await session.query('create table public.mine ()');
        // PostgreSQL waits 5 s for whoever is in it, so this is tried once.
        const isTried = who === 'plain' && place === servers[0]?.name;
        if (isTried) await expect(dropSpare(input)).rejects.toMatchObject({ reason: 'LockHeld' });
      });
      await makeSpare(input, first);
      await openSession(inSpare, (session) => session.query('select from public.mine'));
      await makeSpare(input, second);
      const comment = `matrix-operator/1 drill=${second} claim=${input.wanted.claim}`;
      expect(await look()).toEqual([{ comment, owner: input.wanted.name }]);
      await dropSpare(input);
      await dropSpare(input);
      expect(await look()).toEqual([]);
      // Killed between making and marking it: its owner says whose it is.
      await makeSpare(input, first);
      await sql(server.superuser, `comment on database "${input.wanted.name}_d" is null`);
      await makeSpare(input, second);
      const stranger = { ...input, wanted: { ...input.wanted, claim: randomUUID() } };
      await expect(makeSpare(stranger, first)).rejects.toMatchObject({ reason: 'DatabaseConflict' });
      await dropSpare(stranger);
      expect(await look()).toEqual([{ comment, owner: input.wanted.name }]);
      expect(await provisionDatabase(input)).toMatchObject({ changes: 0, facts: { spare: { drill: second } } });
      expect(await dropDatabase(ask(input))).toEqual({ state: 'dropped', kept: [] });
      expect(await look()).toEqual([]);
      expect(await leftOf(server, input)).toEqual([]);
    },
  );

  test('names with quotes, backslashes and SQL in them are dropped as they are', async () => {
    const input = await made(makeInput(server, 'plain', `d-b "c" '; drop role plain; -- \\ ü`));
    expect(await dropDatabase(ask(input))).toEqual({ state: 'dropped', kept: [] });
    expect(await leftOf(server, input)).toEqual([]);
    expect(await sql(server.plain, 'select 1 as there')).toEqual([{ there: 1 }]);
  });

  test.for([
    { name: 'another claim', marker: `matrix-operator/1 claim=${randomUUID()} server=example.org` },
    { name: 'no claim', marker: 'hello' },
  ])('nothing is dropped with $name', async ({ marker }) => {
    const input = await made(makeInput(server));
    const { name } = input.wanted;
    await sql(server.superuser, `comment on database ${name} is '${marker}'`);
    await sql(server.superuser, `comment on role ${name} is '${marker}'`);
    expect(await dropDatabase(ask(input))).toMatchObject({ state: 'foreign' });
    expect(await dropDatabase({ ...ask(input), claim: undefined })).toMatchObject({ state: 'foreign' });
    expect(await leftOf(server, input)).toEqual(['database', name, `${name}_0`]);
  });

  test('a database that was made and not yet marked is dropped by the mark on its owner', async () => {
    const input = await made(makeInput(server));
    await sql(server.superuser, `comment on database ${input.wanted.name} is null`);
    expect(await dropDatabase(ask(input))).toEqual({ state: 'dropped', kept: [] });
  });

  test('a role that owns something elsewhere stays, closed, and the administrator keeps no hold on it', async () => {
    const input = await made(makeInput(server));
    const { name } = input.wanted;
    await sql(server.superuser, `create schema ${name} authorization ${name}`);
    expect(await dropDatabase(ask(input))).toEqual({ state: 'dropped', kept: [name] });
    expect(await leftOf(server, input)).toEqual([name]);
    const inherits = `select pg_has_role('plain', $1, 'usage') as inherits`;
    expect(await sql(server.superuser, inherits, [name])).toEqual([{ inherits: false }]);
    await sql(server.superuser, `drop schema ${name}`);
    expect(await dropDatabase(ask(input))).toEqual({ state: 'dropped', kept: [] });
    expect(await leftOf(server, input)).toEqual([]);
  });

  test('killed after any statement, the next run drops the rest', async () => {
    const whole = await made(makeInput(server));
    const statements = await dropKilled(whole, Number.POSITIVE_INFINITY);
    expect(statements).toBeGreaterThan(4);
    for (let killAfter = 1; killAfter <= statements; killAfter += 1) {
      const input = await made(makeInput(server));
      await dropKilled(input, killAfter);
      expect(await dropDatabase(ask(input)), `after ${killAfter}`).toEqual({ state: 'dropped', kept: [] });
      expect(await leftOf(server, input), `after ${killAfter}`).toEqual([]);
    }
  });

  test('rotation makes the other login; killed before it is written down, the next one begins anew', async () => {
    const input = { ...(await made(makeInput(server))), isCurrent: () => Promise.resolve(true) };
    const killed = rotateLogin(input, () => Promise.reject(new Error('killed')));
    await expect(killed).rejects.toThrow('killed');
    expect(await sql(tenantLogin(input), 'select 1 as still')).toEqual([{ still: 1 }]);
    const next = await rotated(input);
    expect(await sql(tenantLogin(next), 'select session_user as login')).toEqual([{ login: `${next.wanted.name}_1` }]);
    expect(await provisionDatabase(next)).toMatchObject({
      ok: true,
      changes: 0,
      facts: { openLogin: tenantLogin(input).username },
    });
    // The next one takes the first again, once nobody uses it.
    await openSession(tenantLogin(input), async (session) => {
      await session.query("select set_config('application_name', 'a pod', false)");
      const again = rotateLogin({ ...input, ...next }, () => Promise.reject(new Error('not reached')));
      expect(await again).toMatchObject({ state: 'in use', who: expect.stringContaining('1 sessions') as string });
    });
  });

  test('the old login is closed only by who knows the present one, and its password is gone with it', async () => {
    const first = await made(makeInput(server));
    const next = await rotated(first);
    const overtaken = { ...first, isCurrent: () => Promise.resolve(false) };
    expect(await retireLogin(overtaken)).toEqual({ state: 'overtaken' });
    expect(await retireLogin({ ...next, isCurrent: () => Promise.resolve(true) })).toEqual({ state: 'done' });
    await expect(sql(tenantLogin(first), 'select 1')).rejects.toThrow();
    await sql(server.superuser, `alter role ${tenantLogin(first).username} login`);
    await expect(sql(tenantLogin(first), 'select 1')).rejects.toThrow('password authentication failed');
    expect(await sql(tenantLogin(next), 'select 1 as still')).toEqual([{ still: 1 }]);
  });
});

class Killed extends Error {}

/** Drops until `killAfter` changing statements were answered. Returns how many there were. */
async function dropKilled(input: ProvisionInput, killAfter: number): Promise<number> {
  let answered = 0;
  const isLast = () => (answered += 1) >= killAfter;
  try {
    await openSession(input.admin, (session) => dropInSession(dying(session, isLast), ask(input)));
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
  }
  return answered;
}

function dying(session: Session, isLast: () => boolean): Session {
  return {
    ...session,
    query: async (text, values) => {
      const rows = await session.query<never>(text, values);
      if (!text.startsWith('select') && isLast()) throw new Killed();
      return rows;
    },
  };
}

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadMigrations, type MigrationFile, parseMigration } from '../../homeserver/storage/migration-files.ts';
import { migrate, type MigrateOptions } from '../../homeserver/storage/migrate.ts';
import { DEAD_REPLICAS } from '../support/dead-replicas.ts';
import { createDatabase, type TestDatabase, TEST_SERVER_NAME } from '../support/postgres.ts';
import { openTestStore, silentLog } from '../support/store-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

let database: TestDatabase;
let files: MigrationFile[];

beforeEach(async () => {
  database = await createDatabase();
  files = await loadMigrations();
});

afterEach(() => database.drop());

function options(more: Partial<MigrateOptions> = {}): MigrateOptions {
  const base = { database: database.config, serverName: TEST_SERVER_NAME, softwareVersion: '1.2.3', log: silentLog };
  return { ...base, ...more };
}

async function rows(text: string): Promise<Record<string, unknown>[]> {
  const client = await database.connect();
  return (await client.query<Record<string, unknown>>(text)).rows;
}

const with_ = (level: number, ...texts: [name: string, text: string][]) => ({
  program: {
    files: [...files, ...texts.map(([name, text]) => parseMigration(name, text))],
    level,
    compatLevel: level,
  },
});

const BACKFILL = `-- batches over test_items
-- expand. Test.
with page as (select n from test_items where n > $1 order by n limit $2),
  filled as (insert into test_filled select n from page)
select max(n)::int8 as last, count(*)::int8 as count from page;
`;

async function items(count: number): Promise<void> {
  await rows('create table test_items (n int8 primary key); create table test_filled (n int8 primary key)');
  await rows(`insert into test_items select generate_series(1, ${count})`);
  await rows('analyze test_items');
}

const progress = () =>
  rows("select cursor::int4, done::int4, total::int4, state from ops.migration_progress where name = '9001-fill.sql'");

test('a backfill handles every key once, a batch a transaction, and its progress is told meanwhile', async () => {
  await items(12_000);
  expect((await migrate('expand', options(with_(1, ['9001-fill.sql', BACKFILL])))).exitCode).toBe(0);
  expect(await progress()).toEqual([{ cursor: 12_000, done: 12_000, total: 12_000, state: 'done' }]);
  expect(await rows('select count(*)::int4 as n from test_filled')).toEqual([{ n: 12_000 }]);
});

test('a backfill whose process dies goes on where it was, and one that is told to stop says try again', async () => {
  await items(12_000);
  // The first batch passes, the second waits for this lock.
  const locker = await database.connect();
  await locker.query('begin');
  await locker.query('insert into test_filled values (5001)');
  const program = with_(1, ['9001-fill.sql', BACKFILL]);
  const stop = new AbortController();
  const running = migrate('expand', options({ ...program, stop: stop.signal }));
  await waitFor(async () => (await progress())[0]?.['cursor'] === 5000, { what: 'the first batch' });
  expect(await progress()).toEqual([{ cursor: 5000, done: 5000, total: 12_000, state: 'running' }]);
  stop.abort();
  expect(await running).toMatchObject({
    exitCode: 20,
    message: expect.stringContaining('goes on from here') as unknown,
  });

  const again = migrate('expand', options(program));
  await waitFor(
    async () =>
      (await rows("select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"))
        .length > 0,
    { what: 'the second batch to wait' },
  );
  const admin = await database.connectAsSuperuser();
  await admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'homeserver-migrate' and datname = current_database()",
  );
  expect((await again).exitCode).toBe(20);
  await locker.query('rollback');
  expect((await migrate('expand', options(program))).exitCode).toBe(0);
  expect(await progress()).toEqual([{ cursor: 12_000, done: 12_000, total: 12_000, state: 'done' }]);
  expect(await rows('select count(*)::int4 as n from test_filled')).toEqual([{ n: 12_000 }]);
});

test('a batch that does not move on is a failure, not an endless loop', async () => {
  await items(3);
  const stuck = '-- batches over test_items\n-- expand. Test.\nselect $1::int8 as last, $2::int8 as count;\n';
  const result = await migrate('expand', options(with_(1, ['9001-fill.sql', stuck])));
  expect(result).toMatchObject({ exitCode: 1, message: expect.stringContaining('it would never end') as unknown });
});

test('a new database gets the contract files too and needs no contract', async () => {
  const fresh = await createDatabase({ schema: 'empty' });
  const more = with_(
    2,
    ['9001-more.sql', '-- expand. T.\ncreate table t1 (n int4);\n'],
    ['9002-less.sql', '-- contract. T.\ndrop table t1;\n'],
  );
  expect((await migrate('expand', options({ ...more, database: fresh.config }))).exitCode).toBe(0);
  const { plan } = await migrate('plan', options({ ...more, database: fresh.config }));
  expect(plan).toMatchObject({ schemaVersion: 2, compatVersion: 2, pending: [], contractRaisesCompat: false });
  await fresh.drop();
});

test('another program than the caller expects does nothing', async () => {
  const migrations = files.map(({ name, phase }) => `${phase} ${name}`);
  const expected = { version: '1.2.3', schemaLevel: 1, compatLevel: 1, migrations };
  expect((await migrate('plan', options({ expected }))).exitCode).toBe(0);
  const others = [
    { expected: { ...expected, version: '1.2.4' }, says: 'version is 1.2.3, 1.2.4 was expected' },
    { expected: { ...expected, schemaLevel: 2 }, says: 'schemaLevel is 1, 2 was expected' },
    { expected: { ...expected, migrations: migrations.slice(1) }, says: 'was not expected' },
    { expected: { ...expected, migrations: [...migrations, 'expand 9.sql'] }, says: '"expand 9.sql" is missing' },
  ];
  for (const { expected: wrong, says } of others) {
    const result = await migrate('expand', options({ expected: wrong }));
    expect(result.exitCode).toBe(14);
    expect(result.message).toContain(says);
  }
});

test('a plan by a login that may not create anything says so', async () => {
  const admin = await database.connectAsSuperuser();
  await admin.query(`alter database ${database.name} owner to postgres`);
  const result = await migrate('plan', options());
  expect(result).toMatchObject({ exitCode: 1, message: expect.stringContaining('may not create') as unknown });
});

/** The roles as the operator makes them: an owner without login, and logins that act as it from their start on. */
async function ownedByRole(): Promise<{ directoryOf: (login: string) => Promise<void> }> {
  const admin = await database.connectAsSuperuser();
  const owner = `${database.name}_owner`;
  await admin.query(`create role ${owner} nologin`);
  for (const login of [`${owner}_0`, `${owner}_1`]) {
    await admin.query(`create role ${login} login in role ${owner} password 'x'`);
    await admin.query(`alter role ${login} set role to ${owner}`);
  }
  await admin.query(`alter database ${database.name} owner to ${owner}`);
  return {
    async directoryOf(login) {
      await writeFile(join(database.directory, 'username'), `${owner}_${login}`);
      await writeFile(join(database.directory, 'password'), 'x');
    },
  };
}

test('sessions of a dead replica end at the contract, also where the login acts as the owner; it is refused when it wakes', async () => {
  const fresh = await createDatabase({ schema: 'empty' });
  await database.drop();
  database = fresh;
  const { directoryOf } = await ownedByRole();
  await directoryOf('0');
  await migrate('expand', options());
  const store = await openTestStore(database);
  expect((await migrate('after-restore', options())).exitCode).toBe(20);
  const [found] = await store.db.query<{ pid: number }>({ name: 'test_pid', text: 'select pg_backend_pid() as pid' });
  const admin = await database.connectAsSuperuser();
  await admin.query(DEAD_REPLICAS);
  const newer = with_(2, ['9001-fewer.sql', '-- contract. Test.\ncreate table fewer (n int4);\n']);
  await migrate('expand', options(newer));
  expect((await migrate('contract', options(newer))).exitCode).toBe(0);
  const { rowCount } = await admin.query('select from pg_stat_activity where pid = $1', [found?.pid]);
  expect(rowCount).toBe(0);
  await expect(store.db.query({ name: 'test_one', text: 'select 1' })).rejects.toMatchObject({ status: 503 });
  expect(store.replica.fenced).toBe(true);
  await store.close();
});

test('a contract by one login does not go on while another login of the owner has sessions that it may not end', async () => {
  const fresh = await createDatabase({ schema: 'empty' });
  await database.drop();
  database = fresh;
  const { directoryOf } = await ownedByRole();
  await directoryOf('0');
  await migrate('expand', options());
  const store = await openTestStore(database);
  const admin = await database.connectAsSuperuser();
  await admin.query(DEAD_REPLICAS);
  const newer = with_(2, ['9001-fewer.sql', '-- contract. Test.\ncreate table fewer (n int4);\n']);
  await migrate('expand', options(newer));
  await directoryOf('1');
  expect((await migrate('contract', options(newer))).message).toContain('have not ended yet');
  const closed = await admin.query<{ to: number; made: boolean }>(
    "select compat_version as to, to_regclass('fewer') is not null as made from ops.schema_state",
  );
  expect(closed.rows).toEqual([{ to: 2, made: false }]);
  await store.close();
  expect((await migrate('contract', options(newer))).exitCode).toBe(0);
});

import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { COMPAT_LEVEL, SCHEMA_LEVEL } from '../../homeserver/contract/schema-version.ts';
import { createLogger } from '../../homeserver/log.ts';
import { loadMigrations, type MigrationFile, parseMigration } from '../../homeserver/storage/migration-files.ts';
import { migrate, type MigrateOptions } from '../../homeserver/storage/migrate.ts';
import { DEAD_REPLICAS } from '../support/dead-replicas.ts';
import { createDatabase, type TestDatabase, TEST_SERVER_NAME } from '../support/postgres.ts';
import { messagesInto, newMessage, newRoom, openTestStore, silentLog } from '../support/store-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

let database: TestDatabase;
let files: MigrationFile[];

beforeEach(async () => {
  database = await createDatabase({ schema: 'empty' });
  files = await loadMigrations();
});

afterEach(() => database.drop());

function options(more: Partial<MigrateOptions> = {}): MigrateOptions {
  const base = { database: database.config, serverName: TEST_SERVER_NAME, softwareVersion: '1.2.3', log: silentLog };
  return { ...base, ...more };
}

async function rows(text: string): Promise<Record<string, unknown>[]> {
  const client = await database.connect();
  const result = await client.query<Record<string, unknown>>(text);
  return result.rows;
}

const withFile = (name: string, text: string, level = 1, compatLevel = 1) => ({
  program: { files: [...files, parseMigration(name, text)], level, compatLevel },
});

test('a plan names what is to be done and changes nothing', async () => {
  const { exitCode, plan } = await migrate('plan', options());
  expect(exitCode).toBe(0);
  expect(plan?.pending.map((file) => file.name)).toEqual(files.map((file) => file.name));
  expect(plan).toMatchObject({
    schemaVersion: null,
    targetSchemaVersion: SCHEMA_LEVEL,
    targetCompatVersion: COMPAT_LEVEL,
  });
  expect(await rows("select from pg_namespace where nspname = 'ops'")).toEqual([]);
});

test('expand makes the schema and says what it is; once more it does nothing', async () => {
  expect((await migrate('expand', options())).exitCode).toBe(0);
  const state = {
    schema_version: SCHEMA_LEVEL,
    compat_version: COMPAT_LEVEL,
    software_version: '1.2.3',
    server_name: TEST_SERVER_NAME,
  };
  expect(
    await rows('select schema_version, compat_version, software_version, server_name from ops.schema_state'),
  ).toEqual([state]);
  const progress = await rows(
    'select name from ops.migration_progress where done = total and state = $$done$$ order by name',
  );
  expect(progress.map((row) => row['name'])).toEqual(files.map((file) => file.name));
  expect((await migrate('expand', options())).message).toContain('applied 0 migrations');
});

test('two at once both end well, and every file runs once', async () => {
  const results = await Promise.all([migrate('expand', options()), migrate('expand', options())]);
  expect(results.map((result) => result.exitCode)).toEqual([0, 0]);
  const counts = results.map((result) => Number(/applied (\d+)/.exec(result.message)?.[1]));
  expect(counts.sort((a, b) => a - b)).toEqual([0, files.length]);
});

test('one that waits too long for another gives up for now', async () => {
  const client = await database.connect();
  await client.query('select pg_advisory_lock(7003)');
  expect((await migrate('expand', options({ lockWaitMs: 1 }))).exitCode).toBe(20);
});

test('a file that was edited after it had been applied is refused', async () => {
  await migrate('expand', options());
  const edited = files.map((file, i) => (i === 1 ? { ...file, checksum: 'x' } : file));
  const result = await migrate('expand', options({ program: { files: edited, level: 1, compatLevel: 1 } }));
  expect(result).toMatchObject({
    exitCode: 11,
    message: `migration ${files[1]?.name} was edited after it had been applied`,
  });
});

test('a database of another server is refused', async () => {
  await migrate('expand', options());
  const result = await migrate('expand', options({ serverName: 'other.example' }));
  expect(result).toMatchObject({ exitCode: 12 });
  expect(result.message).toContain(TEST_SERVER_NAME);
});

test('a database that a newer program has closed to this one is refused, one that is only expanded is not', async () => {
  const newer = withFile('9001-more.sql', '-- expand. Test.\ncreate table more (n int4);\n', 2, 2);
  await migrate('expand', options());
  await migrate('expand', options(newer));
  expect((await migrate('expand', options())).exitCode).toBe(0);
  expect((await migrate('contract', options(newer))).exitCode).toBe(0);
  expect((await migrate('plan', options())).exitCode).toBe(11);
  await expect(openTestStore(database)).rejects.toMatchObject({ exitCode: 11 });
});

test('contract waits for replicas of an older program and fences the dead ones', async () => {
  await migrate('expand', options());
  const store = await openTestStore(database);
  const room = await newRoom(store);
  const newer = withFile('9001-fewer.sql', '-- contract. Test.\ncreate table fewer (n int4);\n', 2, 2);
  await migrate('expand', options(newer));
  const refused = await migrate('contract', options(newer));
  expect(refused.exitCode).toBe(20);
  expect(refused.message).toContain(store.replica.id);
  await rows(DEAD_REPLICAS);
  expect((await migrate('contract', options(newer))).exitCode).toBe(0);
  await expect(store.batches.write({ rooms: [room], streams: [] })).rejects.toMatchObject({ status: 503 });
  expect(store.replica.fenced).toBe(true);
  expect(await rows('select compat_version from ops.schema_state')).toEqual([{ compat_version: 2 }]);
  await store.close();
});

test('contract before expand is refused', async () => {
  expect((await migrate('contract', options())).exitCode).toBe(11);
});

test('a file that fails leaves nothing of itself and is named', async () => {
  await migrate('expand', options());
  const broken = withFile('9001-broken.sql', '-- expand. Test.\ncreate table half (n int4);\nselect 1 / 0;\n');
  const result = await migrate('expand', options(broken));
  expect(result).toMatchObject({ exitCode: 1, message: 'migration 9001-broken.sql failed: division by zero' });
  expect(await rows("select to_regclass('half') as half")).toEqual([{ half: null }]);
  expect(await rows("select state from ops.migration_progress where name = '9001-broken.sql'")).toEqual([
    { state: 'failed' },
  ]);
});

test('a role that may not create anything is told so', async () => {
  const admin = await database.connectAsSuperuser();
  await admin.query(`alter database ${database.name} owner to postgres`);
  const result = await migrate('expand', options());
  expect(result).toMatchObject({ exitCode: 1, message: expect.stringContaining('permission denied') as unknown });
});

test('a table that is in use is waited for in short tries', async () => {
  await migrate('expand', options());
  const busy = await database.connect();
  await busy.query('begin');
  await busy.query('lock table rooms in access share mode');
  const adding = withFile('9001-column.sql', '-- expand. Test.\nalter table rooms add column test_column int4;\n');
  const lines: string[] = [];
  const log = createLogger({ level: 'warn', destination: { write: (line) => void lines.push(line) } });
  const running = migrate('expand', options({ ...adding, log }));
  await waitFor(() => lines.some((line) => line.includes('a lock is busy')), { what: 'a try that gave up' });
  await busy.query('commit');
  expect((await running).exitCode).toBe(0);
});

test('a file without a transaction runs statement by statement', async () => {
  await migrate('expand', options());
  const text = `-- no transaction\n-- expand. Test.\ndrop index concurrently if exists test_index;\ncreate index concurrently test_index on users (local);\n`;
  expect((await migrate('expand', options(withFile('9001-index.sql', text)))).exitCode).toBe(0);
  expect(await rows("select to_regclass('test_index') is not null as found")).toEqual([{ found: true }]);
});

test('after a restore positions go on 1000 multiples of 1e9 later, and only with nobody connected', async () => {
  await migrate('expand', options());
  const store = await openTestStore(database);
  const room = await newRoom(store);
  await store.batches.write({ rooms: [room], streams: [] });
  expect((await migrate('after-restore', options())).exitCode).toBe(20);
  await store.close();
  expect(await migrate('after-restore', options())).toMatchObject({
    exitCode: 0,
    message: 'positions continue after 1000000000000',
  });
  expect(await rows('select position from commits')).toEqual([{ position: '1000000000000' }]);
  const again = await openTestStore(database);
  const event = await newMessage(again, room.newSnapshot);
  const rooms = [messagesInto(room.roomNo, room.newSnapshot, [event])];
  expect((await again.batches.write({ rooms, streams: [] })).firstPosition).toBe(1_000_000_000_001);
  await again.close();
});

test.for([
  { name: 'an encoding other than UTF8', sql: "encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'" },
  {
    name: 'a collation other than C',
    sql: "encoding 'UTF8' locale_provider icu icu_locale 'en' lc_collate 'C' lc_ctype 'C'",
  },
])('a database with $name is refused', async ({ sql }) => {
  const admin = await database.connectAsSuperuser();
  const name = `${database.name}_odd`;
  await admin.query(`create database ${name} template template0 owner homeserver ${sql}`);
  const directory = await mkdtemp(join(tmpdir(), 'odd-'));
  const { host, port, username, password } = database.address;
  const values = { host, port: String(port), dbname: name, username, password };
  await Promise.all(Object.entries(values).map(([file, value]) => writeFile(join(directory, file), value)));
  const result = await migrate('expand', options({ database: { ...database.config, directory } }));
  await admin.query(`drop database ${name} with (force)`);
  expect(result.exitCode).toBe(12);
});

test('a database that does not answer is a matter of time, wrong credentials are not hidden', async () => {
  await writeFile(join(database.directory, 'port'), '1');
  expect((await migrate('plan', options())).exitCode).toBe(20);
  await writeFile(join(database.directory, 'port'), String(database.address.port));
  await writeFile(join(database.directory, 'password'), 'wrong');
  expect(await migrate('plan', options())).toMatchObject({ exitCode: 1 });
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
});

afterAll(() => database.drop());

async function names(text: string): Promise<unknown[]> {
  const client = await database.connect();
  const { rows } = await client.query<{ name: string }>(text);
  return rows.map((row) => row.name);
}

const OURS = "c.relnamespace in ('public'::regnamespace, 'ops'::regnamespace)";

test('every table and sequence of ours says what it is', async () => {
  const uncommented = await names(`select c.oid::regclass::text as name from pg_class c
    where ${OURS} and c.relkind in ('r', 'v', 'S') and obj_description(c.oid, 'pg_class') is null
    and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'i')`);
  expect(uncommented).toEqual([]);
});

test('every column says what it holds', async () => {
  const uncommented = await names(`select c.oid::regclass || '.' || a.attname as name
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where ${OURS} and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped and col_description(c.oid, a.attnum) is null`);
  expect(uncommented).toEqual([]);
});

test('every text column compares by bytes whatever the database says', async () => {
  const others = await names(`select c.oid::regclass || '.' || a.attname as name
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where ${OURS} and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
    and a.attcollation not in (0, 'pg_catalog."C"'::regcollation)`);
  expect(others).toEqual([]);
});

test('everything belongs to an ordinary role', async () => {
  const client = await database.connect();
  const { rows } = await client.query(
    'select rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname = current_user',
  );
  expect(rows).toEqual([{ rolsuper: false, rolcreatedb: false, rolcreaterole: false }]);
  const foreign = await names(`select c.oid::regclass::text as name from pg_class c
    where ${OURS} and c.relowner <> 'homeserver'::regrole`);
  expect(foreign).toEqual([]);
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Caches } from '../../homeserver/caches.ts';
import { MatrixError } from '../../homeserver/errors.ts';
import type { Queryable } from '../../homeserver/storage/database.ts';
import { createNames } from '../../homeserver/storage/names.ts';
import { openPool } from '../../homeserver/storage/pool.ts';
import type { Store } from '../../homeserver/storage/store.ts';
import type { StateName } from '../../homeserver/storage/write-batch.ts';
import { type RunningPostgres, startPostgres } from '../support/embedded-postgres.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { messagesInto, newMessage, newRoom, openTestStore, silentLog } from '../support/store-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

let server: RunningPostgres;
let database: TestDatabase;
let store: Store;

beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: 'off' } });
  database = await createDatabase({ server: server.address });
  store = await openTestStore(database);
});

afterAll(async () => {
  await store.close();
  await server.stop();
});

const probe = { name: 'test_probe', text: 'select 1 as one' };
const away = (error: unknown) => error instanceof MatrixError && error.status === 503 && 'Retry-After' in error.headers;

test('positions and other eight-byte numbers come as numbers', async () => {
  const text = "select 9007199254740991::int8 as n, array[1, 9007199254740991]::int8[] as ns, '{}'::int8[] as none";
  const rows = await store.db.query({ name: 'test_int8', text });
  expect(rows).toEqual([{ n: Number.MAX_SAFE_INTEGER, ns: [1, Number.MAX_SAFE_INTEGER], none: [] }]);
});

test.for([
  ['plan_cache_mode', 'force_generic_plan'],
  ['random_page_cost', '1.1'],
  ['jit', 'off'],
  ['idle_in_transaction_session_timeout', '10s'],
  ['statement_timeout', '30s'],
  ['transaction_isolation', 'read committed'],
])('every connection has %s = %s', async ([setting, value]) => {
  const rows = await store.db.query({
    name: 'test_setting',
    text: 'select current_setting($1) as v',
    values: [setting],
  });
  expect(rows).toEqual([{ v: value }]);
});

test('a whole transaction is limited where the server can do that', async () => {
  const text =
    "select current_setting('transaction_timeout', true) as v, current_setting('server_version_num')::int4 as n";
  const [row] = await store.db.query<{ v: string | null; n: number }>({ name: 'test_transaction_timeout', text });
  expect(row?.v).toBe((row?.n ?? 0) >= 170_000 ? '1min' : null);
});

test('a transaction that throws leaves nothing behind', async () => {
  const insert = { name: 'test_insert', text: "insert into servers (name) values ('gone.example')" };
  const failing = store.db.transaction(async (db) => {
    await db.query(insert);
    throw new Error('on purpose');
  });
  await expect(failing).rejects.toThrow('on purpose');
  const rows = await store.db.query({ name: 'test_find', text: "select from servers where name = 'gone.example'" });
  expect(rows).toEqual([]);
});

test('statements of a transaction may be issued together', async () => {
  const count = { name: 'test_count', text: 'select count(*)::int4 as n from servers' };
  const insert = { name: 'test_add', text: "insert into servers (name) values ('new.example')" };
  const counts = await store.db.transaction((db) =>
    Promise.all([db.query<{ n: number }>(count), db.query(insert), db.query<{ n: number }>(count)]),
  );
  expect(counts[2][0]?.n).toBe((counts[0][0]?.n ?? 0) + 1);
});

test('a statement that runs too long is ended and the pool goes on', async () => {
  const connection = { database: { ...database.config, statementTimeoutMs: 100 }, applicationName: 'test' };
  const pool = openPool({ connection, size: 1, log: silentLog });
  await expect(pool.query({ name: 'test_slow', text: 'select pg_sleep(10)' })).rejects.toSatisfy(away);
  await expect(pool.query(probe)).resolves.toEqual([{ one: 1 }]);
  await pool.close();
});

test('new connections use the credentials that are in the folder then', async () => {
  const admin = await database.connectAsSuperuser();
  const connection = { database: database.config, applicationName: 'test-rotation' };
  const pool = openPool({ connection, size: 2, log: silentLog });
  await pool.query(probe);
  await admin.query("create role rotated login password 'second' in role homeserver");
  await admin.query("alter role homeserver password 'changed'");
  await expect(pool.query(probe)).resolves.toEqual([{ one: 1 }]);
  await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'test-rotation'");
  const error: unknown = await waitFor(
    () =>
      pool.query(probe).then(
        () => undefined,
        (reason: unknown) => reason,
      ),
    {
      what: 'a new connection with the old password',
    },
  );
  expect(error).toSatisfy(away);
  await writeFile(join(database.directory, 'username'), 'rotated');
  await writeFile(join(database.directory, 'password'), 'second\n');
  const user = { name: 'test_user', text: 'select current_user as who' };
  await expect(pool.query(user)).resolves.toEqual([{ who: 'rotated' }]);
  await writeFile(join(database.directory, 'username'), 'homeserver');
  await writeFile(join(database.directory, 'password'), 'changed');
  await pool.close();
});

test('a database that is away is answered with 503 and everything recovers by itself', async () => {
  const room = await newRoom(store);
  await store.batches.write({ rooms: [room], streams: [] });
  let resets = 0;
  store.feed.onReset(() => {
    resets += 1;
  });
  const event = await newMessage(store, room.newSnapshot);
  const rooms = [messagesInto(room.roomNo, room.newSnapshot, [event])];
  const data = { kind: 'account_data', userNo: 1, roomNo: 0, type: 'm.direct', content: '{}' } as const;
  const restarting = server.restart('immediate');
  const failing = waitFor(
    () =>
      store.db.query(probe).then(
        () => undefined,
        (reason: unknown) => reason,
      ),
    {
      what: 'a query while the server is down',
      everyMs: 1,
      timeoutMs: 5000,
    },
  ).catch(() => undefined);
  const first = await store.batches.write({ rooms, streams: [data] });
  await restarting;
  const failure: unknown = await failing;
  if (failure !== undefined) expect(failure).toSatisfy(away);
  // It was built before the restart: its rooms are to be built again, what needs no building is written.
  expect([...first.refusedRooms]).toEqual([room.roomNo]);
  expect(first.lastPosition).toBeGreaterThan(1e9);
  expect(resets).toBeGreaterThan(0);
  const { positions } = await store.batches.write({ rooms, streams: [] });
  expect(positions.get(event.eventNo)).toBe(first.lastPosition + 1);
  await waitFor(() => store.db.query(probe), { what: 'the pool to recover' });
  await waitFor(() => store.feed.seen >= (positions.get(event.eventNo) ?? 0), { what: 'the feed to recover' });
});

test('a session that hangs is given up after the time for a statement, and another one is used', async () => {
  const connection = { database: { ...database.config, statementTimeoutMs: 1000 }, applicationName: 'test' };
  const pool = openPool({ connection, size: 1, log: silentLog });
  const [row] = await pool.query<{ pid: number }>({ name: 'test_pid', text: 'select pg_backend_pid() as pid' });
  const pid = row?.pid ?? 0;
  process.kill(pid, 'SIGSTOP');
  await expect(pool.query(probe)).rejects.toSatisfy(away);
  await expect(pool.query(probe)).resolves.toEqual([{ one: 1 }]);
  process.kill(pid, 'SIGCONT');
  await pool.close();
});

test('another start of the server makes names and numbers be asked for again', async () => {
  const userNo = await store.names.userNo('@kept:one.example');
  const before = await store.numbers.nextEventNo();
  await server.restart('fast');
  await waitFor(() => store.db.query(probe), { what: 'the pool to recover' });
  expect(store.names.knownUserNo('@kept:one.example')).toBeUndefined();
  expect(await store.names.userNo('@kept:one.example')).toBe(userNo);
  expect(await store.numbers.nextEventNo()).toBeGreaterThan(before + 1);
});

test('names keep their numbers, on every replica and asked at once', async () => {
  const other = await openTestStore(database);
  const users = ['@a:one.example', '@b:one.example', '@c:test.example'];
  const [mine, theirs] = await Promise.all([store.names.userNos(users), other.names.userNos(users)]);
  expect(theirs).toEqual(mine);
  expect(await store.names.userIds([...mine.values()])).toEqual(new Map([...mine].map(([id, no]) => [no, id])));
  const keys = [store, other].map((each) => each.names.stateKeyNo('m.room.name', 'ключ'));
  expect(new Set(await Promise.all(keys)).size).toBe(1);
  expect(await store.names.findUserNo('@nobody:one.example')).toBeUndefined();
  const local = await store.db.query({ name: 'test_local', text: 'select user_id from users where local' });
  expect(local).toEqual([{ user_id: '@c:test.example' }]);
  await other.close();
});

test('state entries asked for together cost a fixed number of statements, and none once they are known', async () => {
  const asked: string[] = [];
  const counted: Queryable = {
    query: (statement) => {
      asked.push(statement.name);
      return store.db.query(statement);
    },
  };
  const entries = Array.from({ length: 2000 }, (_, i): StateName => [`type.${i % 3}`, `key ${i % 1000}`]);
  const names = createNames(counted, new Caches());
  const mine = await names.stateKeyNos(entries);
  expect(new Set(mine).size).toBe(2000);
  expect(asked).toEqual([
    'state_keys_select',
    'event_types_select',
    'event_types_insert',
    'event_types_select',
    'state_keys_insert',
    'state_keys_select',
  ]);
  expect(await names.stateKeyNos(entries.slice(5, 10))).toEqual(mine.slice(5, 10));
  expect(await names.findStateKeyNo('type.1', 'key 1')).toBe(mine[1]);
  expect(asked.length).toBe(6);
  expect(await store.names.stateKeyNos(entries)).toEqual(mine);
});

test('replicas that meet the same state entries at once, in any order, give them the same numbers', async () => {
  const entries = Array.from({ length: 2000 }, (_, i): StateName => [`other.${i % 3}`, `key ${i % 1000}`]);
  const other = createNames(store.db, new Caches());
  const [mine, theirs] = await Promise.all([other.stateKeyNos(entries), store.names.stateKeyNos(entries.toReversed())]);
  expect(theirs.toReversed()).toEqual(mine);
});

test('looking a name up does not make it known', async () => {
  expect(await store.names.findStateKeyNo('never.seen', '')).toBeUndefined();
  expect(await store.names.findTypeNo('never.seen')).toBeUndefined();
  const text = "select from event_types where type = 'never.seen'";
  expect(await store.db.query({ name: 'test_never', text })).toEqual([]);
});

test('numbers are handed out once, however many replicas and callers ask', async () => {
  const other = await openTestStore(database);
  const asked = Array.from({ length: 3000 }, (_, i) => (i % 2 === 0 ? store : other).numbers.nextEventNo());
  const numbers = await Promise.all(asked);
  expect(new Set(numbers).size).toBe(3000);
  await store.numbers.reserve(1500);
  const taken = Array.from({ length: 1500 }, () => store.numbers.takeEventNo());
  expect(new Set([...numbers, ...taken]).size).toBe(4500);
  await other.close();
});

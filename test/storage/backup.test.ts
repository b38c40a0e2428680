import { rm } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listBackups } from '../../homeserver/backup/find-backup.ts';
import { deleteOldBackups } from '../../homeserver/backup/delete-old-backups.ts';
import type { ObjectStore } from '../../homeserver/object-store/object-store.ts';
import { openSnapshot } from '../../homeserver/storage/copies/snapshot.ts';
import { parseMigration, loadMigrations } from '../../homeserver/storage/migration-files.ts';
import { migrate } from '../../homeserver/storage/migrate.ts';
import type { Store } from '../../homeserver/storage/store.ts';
import { directoryStore, ENCRYPTION_KEY, KEYRING, makeBackup, makeRestore, tableDigests } from '../support/backups.ts';
import { createDatabase, TEST_SERVER_NAME, type TestDatabase } from '../support/postgres.ts';
import { waitFor } from '../support/wait-for.ts';
import { messagesInto, newMessage, newRoom, openTestStore, silentLog } from '../support/store-fixture.ts';

let database: TestDatabase;
let target: TestDatabase;
let store: Awaited<ReturnType<typeof directoryStore>>;

beforeEach(async () => {
  database = await createDatabase();
  target = await createDatabase({ schema: 'empty' });
  store = await directoryStore();
});

afterEach(async () => {
  await Promise.all([database.drop(), target.drop()]);
  await rm(store.directory, { recursive: true, force: true });
});

/** A room, then a batch with one message after the other until `enough`; resolves with how many were acknowledged. */
async function write(homeserver: Store, enough: (written: number) => boolean): Promise<number> {
  const room = await newRoom(homeserver);
  await homeserver.batches.write({ rooms: [room], streams: [] });
  let written = 0;
  while (!enough(written)) {
    const events = [await newMessage(homeserver, room.newSnapshot)];
    await homeserver.batches.write({ rooms: [messagesInto(room.roomNo, room.newSnapshot, events)], streams: [] });
    written += 1;
  }
  return written;
}

async function writeSome(count = 5): Promise<void> {
  const homeserver = await openTestStore(database);
  await write(homeserver, (written) => written >= count);
  await homeserver.close();
}

async function rows(where: TestDatabase, text: string): Promise<Record<string, unknown>[]> {
  const client = await where.connect();
  return (await client.query<Record<string, unknown>>(text)).rows;
}

test('a restored database has the rows of the backup, and its numbers and positions go on', async () => {
  await writeSome();
  const before = await tableDigests(database);
  const manifest = await makeBackup(database, store);
  expect(await makeRestore(target, store)).toMatchObject({ state: 'restored', backupId: manifest.backupId });
  expect(await tableDigests(target)).toEqual(before);

  const again = await openTestStore(target);
  expect(again.feed.seen).toBeGreaterThanOrEqual(1e12);
  await write(again, (written) => written >= 3);
  await again.close();
});

test('a backup under writes is one moment: what it has of a batch it has whole', async () => {
  const homeserver = await openTestStore(database);
  let written = 0;
  let backedUp = false;
  const writing = write(homeserver, (count) => {
    written = count;
    return backedUp;
  });
  // One more message at least between any two objects of the backup.
  const slow: ObjectStore = {
    ...store,
    put: async (name, bytes) => {
      const before = written;
      await waitFor(() => written > before, { what: 'one more message', everyMs: 1 });
      await store.put(name, bytes);
    },
  };
  await waitFor(() => written > 2, { what: 'the first messages' });
  const manifest = await makeBackup(database, slow);
  backedUp = true;
  await writing;
  await homeserver.close();
  await makeRestore(target, store);
  // Each batch writes an event, the room's row and a commit; in a torn copy one of the three would be ahead.
  const [state] = await rows(
    target,
    `select (select last_position from rooms) = max(position) as room, (select previous from commits) = max(position) as commit,
      count(*)::int4 as events from events`,
  );
  const events = manifest.tables.find(({ name }) => name === 'events')?.rows;
  expect(state).toEqual({ room: true, commit: true, events });
  expect(written).toBeGreaterThan(manifest.tables.length);
});

test('all readers of a snapshot see its moment, whatever is committed before they begin', async () => {
  const homeserver = await openTestStore(database);
  await write(homeserver, (written) => written >= 2);
  const connection = { database: database.config, applicationName: 'snapshot-test' };
  const snapshot = await openSnapshot(connection, { readers: 2, waitMs: 0, onWait: () => undefined });
  const events = { schema: 'public', name: 'events', columns: ['event_no'] };
  const seen: string[] = [];
  for (const reader of snapshot?.readers ?? []) {
    await write(homeserver, (written) => written >= 1);
    seen.push(await text(reader(events).stream));
  }
  await snapshot?.close();
  await homeserver.close();
  expect(seen.map((rows) => rows.trim().split('\n').length)).toEqual([3, 3]);
});

test('what a restore must not bring back is gone: leases, processes and the feed of the old life', async () => {
  await rows(database, `insert into leases (name, holder, fence, until) values ('work', 1, 1, 1)`);
  const homeserver = await openTestStore(database);
  await write(homeserver, (written) => written >= 1);
  await makeBackup(database, store);
  await homeserver.close();
  await makeRestore(target, store);
  expect(await rows(target, 'select from leases')).toEqual([]);
  expect(await rows(target, 'select from ops.replica')).toEqual([]);
  expect(await rows(target, 'select position, rooms from commits')).toEqual([{ position: '1000000000000', rooms: [] }]);
});

test('a database with anything in it is refused and left as it is', async () => {
  await makeBackup(database, store);
  await rows(target, 'create table mine (n int4)');
  await expect(makeRestore(target, store)).rejects.toThrow('the database is not empty (it has public.mine)');
  expect(await rows(target, `select from pg_namespace where nspname in ('ops', 'restore')`)).toEqual([]);
});

test('once more the same restore changes nothing, another one is refused', async () => {
  const first = await makeBackup(database, store);
  await makeRestore(target, store);
  expect(await makeRestore(target, store)).toEqual({ state: 'done', backupId: first.backupId });
  const second = await makeBackup(database, store);
  const other = makeRestore(target, store, { backupId: second.backupId });
  await expect(other).rejects.toThrow(`was restored from backup ${first.backupId}`);
});

/** A store that does something before its n-th reading of an object. */
function onRead(inner: ObjectStore, n: number, act: () => Promise<void>): ObjectStore {
  let reads = 0;
  return {
    ...inner,
    get: async (name, maxBytes) => {
      if ((reads += 1) === n) await act();
      return inner.get(name, maxBytes);
    },
  };
}

test('a restore that loses all its sessions, at its first object or its last, is never served, and begins again to the same end', async () => {
  await writeSome();
  const before = await tableDigests(database);
  const manifest = await makeBackup(database, store);
  const objects = manifest.tables.flatMap(({ segments }) => segments).length;
  const admin = await target.connectAsSuperuser();
  const endSessions = async () => {
    await admin.query(`select pg_terminate_backend(pid, 5000) from pg_stat_activity
      where datname = current_database() and application_name = 'restore-test'`);
  };
  // The manifest and the keys are read before the first session writes. Each place costs a restore up to there.
  const [first, last] = [3, objects + 2];
  for (const n of [first, Math.floor((first + last) / 2), last]) {
    await expect(makeRestore(target, onRead(store, n, endSessions))).rejects.toThrow();
    await expect(openTestStore(target)).rejects.toThrow(`the restore of backup ${manifest.backupId}`);
    const migration = { database: target.config, serverName: TEST_SERVER_NAME, softwareVersion: 'x', log: silentLog };
    expect(await migrate('expand', migration)).toMatchObject({ exitCode: 12 });
  }
  expect(await makeRestore(target, store)).toMatchObject({ state: 'restored' });
  expect(await tableDigests(target)).toEqual(before);
});

test('of two restores at once one waits for the other and finds all done', async () => {
  const { backupId } = await makeBackup(database, store);
  const results = await Promise.all([makeRestore(target, store), makeRestore(target, store)]);
  expect(results.map(({ state }) => state).sort((a, b) => a.localeCompare(b))).toEqual(['done', 'restored']);
  expect(await makeRestore(target, store, { backupId })).toEqual({ state: 'done', backupId });
});

test('a restore waits no longer than it is told for a migration', async () => {
  await makeBackup(database, store);
  await rows(target, 'select pg_advisory_lock(7003)');
  expect(await makeRestore(target, store, { waitMs: 1 })).toEqual({ state: 'busy' });
});

const harms: { what: string; says: RegExp; harm: (names: string[]) => Promise<void> }[] = [
  {
    what: 'a changed object',
    says: /events\/000000 .* is not what the manifest says/,
    harm: async (names) => {
      const name = names.find((one) => one.includes('public.events/')) ?? '';
      const bytes = (await store.get(name, 1e9)) ?? Buffer.alloc(0);
      await store.put(name, Buffer.from(bytes.map((byte, i) => (i === 5 ? byte ^ 1 : byte))));
    },
  },
  {
    what: 'a cut off object',
    says: /is not what the manifest says/,
    harm: async (names) => {
      const name = names.find((one) => one.includes('public.rooms/')) ?? '';
      await store.put(name, ((await store.get(name, 1e9)) ?? Buffer.alloc(0)).subarray(0, -1));
    },
  },
  {
    what: 'a missing object',
    says: /is missing/,
    harm: (names) => store.delete(names.find((one) => one.includes('public.users/')) ?? ''),
  },
  {
    what: 'a changed manifest',
    says: /manifest was not written with this encryption key, or was changed/,
    harm: async (names) => {
      const name = names.find((one) => one.includes('/manifest/')) ?? '';
      const text = ((await store.get(name, 1e9)) ?? Buffer.alloc(0)).toString('utf8');
      await store.put(name, Buffer.from(text.replace('"rows":5', '"rows":4').replace('"1.2.3"', '"1.2.4"')));
    },
  },
];

test.for(harms)('a backup with $what is refused, and nothing serves the database', async ({ says, harm }) => {
  await writeSome();
  await makeBackup(database, store);
  const names: string[] = [];
  for await (const name of store.list('')) names.push(name);
  await harm(names);
  await expect(makeRestore(target, store)).rejects.toThrow(says);
  await expect(openTestStore(target)).rejects.toThrow(/schema|restore/);
});

test('another encryption key, none, or one for a plain backup is told apart', async () => {
  await makeBackup(database, store);
  const other = 'another encryption key that is long enough for a test';
  await expect(makeRestore(target, store, { encryptionKey: other })).rejects.toThrow('this encryption key');
  await expect(makeRestore(target, store, { encryptionKey: undefined })).rejects.toThrow('is encrypted: give its');
  await makeBackup(database, store, { encryption: undefined });
  await expect(makeRestore(target, store)).rejects.toThrow('is not encrypted, but an encryption key was given');
  expect(await makeRestore(target, store, { encryptionKey: undefined })).toMatchObject({ state: 'restored' });
});

test('only an encrypted backup holds signing keys, and they are readable nowhere in it', async () => {
  await makeBackup(database, store, { encryption: undefined });
  const plain: string[] = [];
  for await (const name of store.list('')) plain.push(name);
  expect(plain.filter((name) => name.endsWith('/keys'))).toEqual([]);
  const { backupId, keys } = await makeBackup(database, store);
  expect(keys?.bytes).toBeGreaterThan(100);
  const bundle = await store.get(`${TEST_SERVER_NAME}/data/${backupId}/keys`, 1e6);
  expect(bundle?.toString()).not.toContain(KEYRING.keys[0]?.seed);
  expect(bundle?.toString()).not.toContain(ENCRYPTION_KEY);
});

test('a backup of a program that this one does not know is refused with the version that does', async () => {
  const files = [
    ...(await loadMigrations()),
    parseMigration('9001-more.sql', '-- expand. Test.\ncreate table more (n int4);\n'),
  ];
  const newer = { program: { files, level: 2, compatLevel: 1 } };
  const migration = {
    database: database.config,
    serverName: TEST_SERVER_NAME,
    softwareVersion: '1.2.3',
    log: silentLog,
  };
  await migrate('expand', { ...migration, ...newer });
  await makeBackup(database, store);
  await expect(makeRestore(target, store)).rejects.toThrow('restore with version 1.2.3 or newer');
  expect(await rows(target, `select from pg_namespace where nspname = 'restore'`)).toEqual([]);
});

test('a backup of an older program is restored at its own schema, which can then be expanded', async () => {
  await writeSome();
  await makeBackup(database, store);
  const files = [
    ...(await loadMigrations()),
    parseMigration('9001-more.sql', '-- expand. Test.\ncreate table more (n int4);\n'),
  ];
  await makeRestore(target, store, { files });
  const migration = { database: target.config, serverName: TEST_SERVER_NAME, softwareVersion: '1.3.0', log: silentLog };
  const expanded = await migrate('expand', { ...migration, program: { files, level: 2, compatLevel: 1 } });
  expect(expanded.message).toContain('applied 1 migrations');
  expect(await rows(target, 'select from more')).toEqual([]);
});

test('a backup is noted in its database once it is read back, and what the store lost is no backup', async () => {
  const plan = '0123456789ab';
  const { backupId } = await makeBackup(database, store, { readBack: true, upgradePlan: plan });
  const noted = 'select backup_id, place, upgrade_plan, taken_at <= stored_at as ordered from ops.backup';
  expect(await rows(database, noted)).toEqual([
    { backup_id: backupId, place: store.directory, upgrade_plan: plan, ordered: true },
  ]);
  // One object of many that lies about what was written to it.
  const lossy: ObjectStore = {
    ...store,
    get: async (name, maxBytes) => (name.includes('/ops.') ? Buffer.from('gone bad') : store.get(name, maxBytes)),
  };
  await expect(makeBackup(database, lossy, { readBack: true })).rejects.toThrow('is not what the manifest says');
  expect(await listBackups(store, TEST_SERVER_NAME)).toEqual([backupId]);
  expect(await rows(database, 'select from ops.backup')).toHaveLength(1);
});

test('the newest backups are kept; a manifest goes before its data', async () => {
  const made: string[] = [];
  for (let day = 1; day <= 4; day += 1) {
    const now = () => new Date(Date.UTC(2026, 10, day));
    made.push((await makeBackup(database, store, { now })).backupId);
  }
  const kept = { serverName: TEST_SERVER_NAME, keepLast: 2, now: new Date(Date.UTC(2026, 10, 5)) };
  const killed: ObjectStore = {
    ...store,
    list: async function* (prefix) {
      if (prefix.includes('/data/')) throw new Error('killed');
      yield* store.list(prefix);
    },
  };
  await expect(deleteOldBackups(killed, kept)).rejects.toThrow('killed');
  expect(await listBackups(store, TEST_SERVER_NAME)).toEqual(made.slice(1));
  expect(await deleteOldBackups(store, kept)).toEqual(made.slice(1, 2));
  expect(await store.listFolders(`${TEST_SERVER_NAME}/data/`)).toHaveLength(3);
  // What the killed one left behind goes when it is too old to be of a backup that is being made.
  await deleteOldBackups(store, { ...kept, now: new Date(Date.UTC(2026, 10, 9)) });
  expect(await listBackups(store, TEST_SERVER_NAME)).toEqual(made.slice(2));
  expect(await store.listFolders(`${TEST_SERVER_NAME}/data/`)).toHaveLength(2);
  expect(await makeRestore(target, store)).toMatchObject({ backupId: made[3] });
  // The one before the last upgrade stays beside the newest.
  expect(await deleteOldBackups(store, { ...kept, keepLast: 1, spare: made[2] })).toEqual([]);
  expect(await listBackups(store, TEST_SERVER_NAME)).toEqual(made.slice(2));
});

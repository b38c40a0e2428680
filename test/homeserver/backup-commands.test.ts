import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { endingWithUs } from '../cluster/child-process.ts';
import { ENCRYPTION_KEY } from '../support/backups.ts';
import { bundle } from '../support/bundle.ts';
import { startHomeserver, type TestHomeserver, type TestUser } from '../support/homeserver.ts';
import { matching } from '../support/matching.ts';
import { createDatabase, TEST_SERVER_NAME, type TestDatabase } from '../support/postgres.ts';
import { RoomClient } from '../support/room-client.ts';
import { waitFor } from '../support/wait-for.ts';

/** As in the image: it is there in a third of the time that its sources take. */
let program: string;
let folder: string;
let homeserver: TestHomeserver;
let target: TestDatabase;
let alice: TestUser;
let roomId: string;

beforeAll(async () => {
  program = join(await bundle(), 'homeserver.mjs');
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-test-backup-'));
  await writeFile(join(folder, 'key'), `${ENCRYPTION_KEY}\n`);
  homeserver = await startHomeserver();
  target = await createDatabase({ schema: 'empty' });
  alice = await homeserver.register('alice');
  const client = new RoomClient(homeserver, alice);
  roomId = await client.createRoom({ preset: 'public_chat', name: 'Kept' });
  await client.send(roomId, 'hello before the backup');
});

afterAll(async () => {
  await homeserver.stop();
  await target.drop();
  await rm(folder, { recursive: true, force: true });
});

async function configFor(database: TestDatabase): Promise<string> {
  const file = join(folder, `${database.name}.yaml`);
  const { keyringFile } = homeserver;
  await writeFile(file, JSON.stringify({ serverName: TEST_SERVER_NAME, database: database.config, keyringFile }));
  return file;
}

async function start(command: string, database: TestDatabase, more: readonly string[]) {
  const args = [program, command, '--config', await configFor(database), '--json', ...more];
  const env = { PATH: process.env['PATH'] };
  return spawn(...endingWithUs(process.execPath, args), { stdio: ['ignore', 'pipe', 'pipe'], env });
}

async function run(command: string, database: TestDatabase, more: readonly string[] = []) {
  const child = await start(command, database, more);
  const exited = once(child, 'close');
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await exited;
  return { code: child.exitCode, out, err };
}

const store = () => ['--directory', join(folder, 'backups'), '--encryption-key-file', join(folder, 'key')];
const SyncToken = z.looseObject({ next_batch: z.string() });

test('back up, be killed in a restore, restore again, verify: the same users, rooms and messages', async () => {
  const before = SyncToken.parse(
    (await homeserver.request('GET', '/_matrix/client/v3/sync', { token: alice.token })).body,
  );
  const made = await run('backup', homeserver.database, [...store(), '--keep-last', '2']);
  expect(made).toMatchObject({ code: 0, out: matching(/"encrypted":true/) });

  const killed = await start('restore', target, store());
  const watcher = await target.connect();
  const ended = once(killed, 'close');
  const begun = async () =>
    (await watcher.query(`select from pg_class where oid = to_regclass('ops.replica')`)).rowCount;
  await waitFor(async () => (await begun()) === 1, { what: 'the restore to have begun', everyMs: 1 });
  killed.kill('SIGKILL');
  await ended;

  const restored = await run('restore', target, store());
  expect(restored).toMatchObject({ code: 0, out: matching(/"state":"(restored|done)"/) });
  expect(await run('restore', target, store())).toMatchObject({ code: 0, out: matching(/"state":"done"/) });
  expect(await run('verify', target)).toMatchObject({ code: 0, out: matching(/"whole":true/) });

  const again = await startHomeserver({ database: target });
  try {
    const client = new RoomClient(again, await again.login(alice));
    const messages = await client.request('GET', `/rooms/${roomId}/messages?dir=b&limit=5`);
    expect(JSON.stringify(messages.body)).toContain('hello before the backup');
    // A token of the old life is still good, and what comes after lies beyond it.
    const sent = await client.send(roomId, 'hello after the restore');
    const path = `/sync?since=${before.next_batch}`;
    const synced = await client.request('GET', path);
    expect(JSON.stringify(synced.body)).toContain(sent);
  } finally {
    await Promise.all(again.replicas.map((replica) => replica.stop({ settleMs: 0, drainMs: 5000 })));
  }
});

test('a database that is too large for the time is not called whole, and not called wrong where a part is enough', async () => {
  const locker = await homeserver.database.connect();
  await locker.query('begin');
  await locker.query('lock table aliases in access exclusive mode');
  const limit = ['--time-limit-seconds', '1'];
  const [all, part] = await Promise.all([
    run('verify', homeserver.database, limit),
    run('verify', homeserver.database, [...limit, '--partial']),
  ]);
  await locker.query('rollback');
  expect(all).toMatchObject({ code: 1, out: matching(/"whole":false/) });
  expect(part).toMatchObject({ code: 0, out: matching(/"whole":false/) });
  await locker.query('update rooms set joined = joined + 1');
  expect((await run('verify', homeserver.database, ['--partial'])).code).toBe(1);
  await locker.query('update rooms set joined = joined - 1');
});

test('a drill proves the newest backup in a spare database and leaves the server alone', async () => {
  const spare = await createDatabase({ schema: 'empty' });
  const replicas = 'select replica_no, id from ops.replica order by replica_no';
  const client = await homeserver.database.connect();
  const before = (await client.query(replicas)).rows;
  const done = await run('drill', homeserver.database, [...store(), '--database', spare.name]);
  expect(done.err).not.toContain('"level":"error"');
  expect(done.code).toBe(0);
  expect(JSON.parse(done.out)).toMatchObject({ signingKeys: 1, roomsOfUser: 1 });
  expect((await client.query(replicas)).rows).toEqual(before);
  expect((await client.query(`select from users where user_id like '@drill-%'`)).rowCount).toBe(0);

  // Again into what a drill has left: nothing of it is thrown away, and it serves still.
  expect(await run('drill', homeserver.database, [...store(), '--database', spare.name])).toMatchObject({ code: 0 });
  const inSpare = await spare.connect();
  // An object of a restored room is gone: what is not whole is no proof.
  await inSpare.query('delete from snapshots');
  const broken = await run('drill', homeserver.database, [...store(), '--database', spare.name]);
  expect(broken).toMatchObject({ code: 1, err: matching(/is not whole/) });
  await spare.drop();
});

test('a drill never goes near the database of the server, and waits no longer than told for a spare one', async () => {
  const own = await run('drill', homeserver.database, [...store(), '--database', homeserver.database.name]);
  expect(own).toMatchObject({ code: 2, err: matching(/the one that the server uses/) });
  const absent = await run('drill', homeserver.database, [
    ...store(),
    '--database',
    'not_there',
    '--wait-seconds',
    '1',
  ]);
  expect(absent.code).toBe(20);
});

test('what cannot be used ends with a code and a sentence, and never shows a key', async () => {
  const short = join(folder, 'short');
  await writeFile(short, 'short secret');
  const weak = await run('backup', homeserver.database, ['--directory', folder, '--encryption-key-file', short]);
  expect(weak).toMatchObject({ code: 1, err: matching(/fewer than 32 characters/) });
  expect(weak.err).not.toContain('short secret');
  const full = await run('restore', homeserver.database, store());
  expect(full).toMatchObject({ code: 12, err: matching(/the database is not empty/) });
  const absent = await run('restore', target, [...store(), '--database', 'not_there_yet']);
  expect(absent.code).toBe(20);
  const none = await run('restore', target, ['--directory', join(folder, 'nothing')]);
  expect(none).toMatchObject({ code: 1, err: matching(/there is no backup of test.example/) });
  const everything = [weak, full, absent, none].map(({ out, err }) => out + err).join('');
  expect(everything).not.toContain(ENCRYPTION_KEY);
  expect(everything).not.toContain(JSON.stringify(await readFile(homeserver.keyringFile, 'utf8')).slice(40, 80));
});

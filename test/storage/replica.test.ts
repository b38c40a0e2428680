import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { openTestStore } from '../support/store-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

const HEARTBEAT_MS = 5000;

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
});

afterEach(() => {
  vi.useRealTimers();
});
afterAll(() => database.drop());

async function row(replicaNo: number): Promise<Record<string, unknown> | undefined> {
  const client = await database.connect();
  const text = 'select *, heartbeat::text from ops.replica where replica_no = $1';
  const { rows } = await client.query<Record<string, unknown>>(text, [replicaNo]);
  await client.end();
  return rows[0];
}

test('a replica is listed from its start to its end, with what it signs with', async () => {
  const store = await openTestStore(database);
  const { replica } = store;
  expect(await row(replica.replicaNo)).toMatchObject({ id: replica.id, schema_level: 1, active_key_id: null });
  replica.noteSigned('ed25519:k1', 20);
  replica.noteSigned('ed25519:k1', 10);
  await replica.reportKeyring({ generation: 7, activeKeyId: 'ed25519:k1' });
  expect(await row(replica.replicaNo)).toMatchObject({
    keyring_generation: '7',
    active_key_id: 'ed25519:k1',
    last_signed_ts: { 'ed25519:k1': 20 },
    fenced_at: null,
  });
  await store.close();
  expect(await row(replica.replicaNo)).toBeUndefined();
});

test('the heartbeat goes on by itself, and a replica that is fenced learns of it there', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const store = await openTestStore(database);
  const later = () => vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  const first = await row(store.replica.replicaNo);
  const hasBeaten = async () => {
    await later();
    return (await row(store.replica.replicaNo))?.['heartbeat'] !== first?.['heartbeat'];
  };
  await waitFor(hasBeaten, { what: 'a heartbeat' });
  const client = await database.connect();
  await client.query('update ops.replica set fenced_at = 1');
  await waitFor(() => later().then(() => store.replica.fenced), { what: 'the replica to learn that it is fenced' });
  await store.close();
});

test('every start has a number of its own', async () => {
  const [one, two] = [await openTestStore(database), await openTestStore(database)];
  const number = two.replica.replicaNo;
  await Promise.all([one.close(), two.close()]);
  const three = await openTestStore(database);
  expect(new Set([one.replica.replicaNo, number, three.replica.replicaNo]).size).toBe(3);
  await three.close();
});

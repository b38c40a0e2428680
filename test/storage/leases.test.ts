import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from '../../homeserver/storage/store.ts';
import { type HeldLease, LeaseLost, startLeasedJob } from '../../homeserver/workers/lease.ts';
import { prune } from '../../homeserver/workers/prune.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { messagesInto, newMessage, newRoom, openTestStore, silentLog } from '../support/store-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

let database: TestDatabase;
let one: Store;
let two: Store;

beforeEach(async () => {
  database = await createDatabase();
  one = await openTestStore(database);
  two = await openTestStore(database);
});

afterEach(async () => {
  await Promise.all([one.close(), two.close()]);
  await database.drop();
});

async function rows(text: string): Promise<Record<string, unknown>[]> {
  const client = await database.connect();
  return (await client.query<Record<string, unknown>>(text)).rows;
}

/** A job that notes who ran it and keeps the newest lease it was given. */
function notingJob(notes: string[]) {
  const held: HeldLease[] = [];
  const job = (who: string, leaseMs: number) => ({
    name: 'noting',
    everyMs: 10,
    leaseMs,
    run: (lease: HeldLease) => {
      notes.push(who);
      held.push(lease);
      return Promise.resolve();
    },
  });
  return { job, held };
}

test('one replica at a time does the work, and hands it over when it stops', async () => {
  const notes: string[] = [];
  const { job } = notingJob(notes);
  const stopOne = startLeasedJob(one, job('one', 60_000), silentLog);
  await waitFor(() => notes.length > 2, { what: 'the first replica to work' });
  const stopTwo = startLeasedJob(two, job('two', 60_000), silentLog);
  const seen = notes.length;
  await waitFor(() => notes.length > seen + 3, { what: 'more turns' });
  expect(new Set(notes)).toEqual(new Set(['one']));
  await stopOne();
  await waitFor(() => notes.includes('two'), { what: 'the second replica to take over' });
  await stopTwo();
});

test('a holder that stalled cannot write after another took over', async () => {
  const notes: string[] = [];
  const { job, held } = notingJob(notes);
  const stopOne = startLeasedJob(one, { ...job('one', 1), everyMs: 3_600_000 }, silentLog);
  const turns = startLeasedJob(one, job('one', 60_000), silentLog);
  await waitFor(() => held.length > 0, { what: 'the first replica to work' });
  await Promise.all([turns(), stopOne()]);
  const stopTwo = startLeasedJob(two, job('two', 60_000), silentLog);
  await waitFor(() => notes.includes('two'), { what: 'the second replica to take over' });
  await expect(held[0]?.write(() => Promise.resolve())).rejects.toBeInstanceOf(LeaseLost);
  await expect(held.at(-1)?.write(() => Promise.resolve('written'))).resolves.toBe('written');
  await stopTwo();
});

test('pruning deletes what is old and keeps what is young, and never the newest commit', async () => {
  const room = await newRoom(one);
  await one.batches.write({ rooms: [room], streams: [] });
  for (const txnId of ['old', 'young']) {
    const event = await newMessage(one, room.newSnapshot, { transaction: { deviceNo: 1, txnId } });
    await one.batches.write({ rooms: [messagesInto(room.roomNo, room.newSnapshot, [event])], streams: [] });
  }
  await rows('update commits set at = 0');
  await rows("update transactions set at = 0 where txn_id = 'old'");
  await rows(
    "insert into ops.replica (id, software_version, schema_level, clock, heartbeat, backend_tag) values ('dead', '', 1, 0, 0, '')",
  );
  const signal = new AbortController().signal;
  await prune({ signal, write: (work) => one.db.transaction(work) });
  const head = await rows('select max(position) as position from commits');
  expect(await rows('select position from commits')).toEqual(head);
  expect(await rows('select txn_id from transactions')).toEqual([{ txn_id: 'young' }]);
  expect(await rows("select from ops.replica where id = 'dead'")).toEqual([]);
  expect(await rows('select from ops.replica')).toHaveLength(2);
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { App } from '../../homeserver/http/app.ts';
import { RoomHeads } from '../../homeserver/pipeline/room-heads.ts';
import type { StateName } from '../../homeserver/pipeline/room-writer.ts';
import { parseRoomId, type RoomId } from '../../homeserver/room/identifiers.ts';
import type { CommitFeed } from '../../homeserver/storage/write-batch.ts';
import { compileSyncFilter } from '../../homeserver/sync/compiled-filter.ts';
import { parseSyncToken } from '../../homeserver/sync/position.ts';
import { openSyncState } from '../../homeserver/sync/sync-state.ts';
import { syncV3 } from '../../homeserver/sync/sync-v3.ts';
import { statementsDuring } from '../support/count-statements.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { SyncReader } from '../support/sync-reader.ts';

let server: TestHomeserver;
let app: App;
let alice: RoomClient;
beforeAll(async () => {
  // About what one replica remembers across a failover.
  server = await startHomeserver({ replicas: 1 });
  app = server.replicas[0]?.app ?? never();
  alice = await newClient(server, 'alice');
});
afterAll(() => server.stop());

function never(): never {
  throw new Error('this must be there');
}

const newRoom = async (): Promise<RoomId> => parseRoomId(await alice.createRoom()) ?? never();

const names: StateName[] = [
  ['m.room.create', ''],
  ['m.room.power_levels', ''],
];
const needs = { names, chain: true, fresh: false };

/** The feed as a listener of it sees it, with its reset in the test's hand. */
function resettable(feed: CommitFeed): { feed: CommitFeed; reset(): void } {
  const listeners = new Set<() => void>();
  const onReset = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    feed: {
      get seen() {
        return feed.seen;
      },
      onCommit: (listener) => feed.onCommit(listener),
      onReset,
      catchUp: () => feed.catchUp(),
      publishVolatile: (text) => {
        feed.publishVolatile(text);
      },
      onVolatile: (listener) => feed.onVolatile(listener),
    },
    reset: () => {
      for (const listener of listeners) listener();
    },
  };
}

test('after a failover no room head from before it is built on, not even one that was being read', async () => {
  const { feed, reset } = resettable(app.store.feed);
  const [gate, reached] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let gated = false;
  const db: App['store']['db'] = {
    query: (statement) => {
      if (!gated || statement.name !== 'rooms_select_head') return app.store.db.query(statement);
      reached.resolve();
      return gate.promise.then(() => app.store.db.query(statement));
    },
    transaction: (work) => app.store.db.transaction(work),
    close: () => app.store.db.close(),
  };
  const heads = new RoomHeads({ ...app.store, feed, db });
  const [known, reading] = [await newRoom(), await newRoom()];
  const before = await heads.ensure(known, needs);
  expect(heads.has(known, needs)).toBe(true);
  const { generation } = heads;
  gated = true;
  const read = heads.ensure(reading, needs);
  await reached.promise;
  reset();
  expect(heads.generation).toBeGreaterThan(generation);
  expect(heads.usable(known)).toBeUndefined();
  gated = false;
  gate.resolve();
  // Read before the failover, so it was read once more.
  expect((await read)?.roomId).toBe(reading);
  expect(await heads.ensure(known, needs)).not.toBe(before);
  heads.close();
});

test('a poll waits in peace although the newest commits were lost in a failover', async () => {
  const bob = new SyncReader(server, await newClient(server));
  await bob.next();
  const database = await server.database.connect();
  // A standby that lacks the newest batch takes over; nothing is written there yet.
  await newRoom();
  await app.store.feed.catchUp();
  await database.query('delete from commits where position = (select max(position) from commits)');
  const { feed, reset } = resettable(app.store.feed);
  const sync = openSyncState({ store: { ...app.store, feed }, config: app.config, metrics: app.metrics, log: app.log });
  reset();
  const bobNo = await app.store.names.userNo(bob.client.userId);
  const reader = { userId: bob.client.userId, userNo: bobNo, deviceNo: 1 };
  const since = parseSyncToken(bob.since ?? '') ?? never();
  const request = { reader, since, filter: compileSyncFilter({}), fullState: false, useStateAfter: false };
  const statements = await statementsDuring(server.replicas[0], () => syncV3({ ...app, sync }, request, 500, () => []));
  expect(statements.filter((name) => name === 'memberships_select_changes').length).toBeLessThan(4);
  await sync.close();
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { verify } from '../../homeserver/backup/verify.ts';
import type { VerifyReport } from '../../homeserver/backup/verify-report.ts';
import { type TestHomeserver, startHomeserver } from '../support/homeserver.ts';
import { RoomClient } from '../support/room-client.ts';

let homeserver: TestHomeserver;

beforeAll(async () => {
  homeserver = await startHomeserver();
  const alice = new RoomClient(homeserver, await homeserver.register());
  const bob = new RoomClient(homeserver, await homeserver.register());
  const roomId = await alice.createRoom({ preset: 'public_chat', name: 'Room' });
  await bob.join(roomId);
  // Events of the first room version carry their ids, which are no hashes.
  await alice.createRoom({ room_version: '1' });
  for (let i = 0; i < 30; i += 1) await alice.trySend(roomId, { msgtype: 'm.text', body: `message ${i}` });
});

afterAll(() => homeserver.stop());

function look(more: { sample?: number; timeLimitMs?: number } = {}): Promise<VerifyReport> {
  return verify({
    connection: { database: homeserver.database.config, applicationName: 'verify-test' },
    serverName: homeserver.serverName,
    sample: 1000,
    timeLimitMs: 30_000,
    ...more,
  });
}

test('a serving database is whole, and what was looked at is told', async () => {
  const report = await look();
  expect(report.checks.filter(({ problems, complete }) => problems > 0 || !complete)).toEqual([]);
  expect(report).toMatchObject({ whole: true, serverName: homeserver.serverName, schema: { version: 1 } });
  const checked = Object.fromEntries(report.checks.map(({ name, checked }) => [name, checked]));
  expect(checked['room heads can be resolved']).toBe(2);
  expect(checked['ids and hashes are those of the stored events']).toBeGreaterThan(30);
});

test('a sample looks at as many events as asked, spread over all', async () => {
  const { checks } = await look({ sample: 5 });
  const events = checks.find(({ name }) => name.startsWith('ids and'));
  expect(events?.checked).toBe(20);
});

test('without time nothing is called whole', async () => {
  const report = await look({ timeLimitMs: 0 });
  expect(report.whole).toBe(false);
  expect(report.checks.every(({ complete }) => !complete)).toBe(true);
});

test('a check that hangs takes nothing from the others, and an end is made in time', async () => {
  const blocker = await homeserver.database.connect();
  await blocker.query('begin');
  await blocker.query('lock table current_state in access exclusive mode');
  try {
    const { whole, checks } = await look({ timeLimitMs: 4000 });
    expect(whole).toBe(false);
    const complete = checks.filter((check) => check.complete).map(({ name }) => name);
    expect(complete).toContain('ids and hashes are those of the stored events');
    expect(complete).not.toContain('room heads can be resolved');
    expect(checks.length - complete.length).toBeLessThan(checks.length / 2);
  } finally {
    await blocker.query('rollback');
  }
});

const harms = [
  { check: 'ids and hashes', harm: `update events set json = replace(json, 'message 7', 'message 8')` },
  { check: 'room heads can be resolved', harm: 'update rooms set snapshot = 999999' },
  {
    check: 'current state is that of the head',
    harm: 'delete from current_state where state_key_no = (select min(state_key_no) from current_state)',
  },
  { check: 'current state is that of the head', harm: 'update rooms set joined = joined + 1' },
  {
    check: 'memberships name events',
    harm: 'update memberships set event_no = 999999 where user_no = (select max(user_no) from memberships)',
  },
  { check: 'rooms name newest events', harm: 'update rooms set tips = array[999999]::int8[]' },
  {
    check: 'auth chains name events',
    harm: 'update event_auth set auth = array[999999]::int8[] where event_no = (select max(event_no) from event_auth)',
  },
  {
    check: 'access tokens name devices',
    harm: 'delete from devices where device_no = (select min(device_no) from devices)',
  },
  {
    check: 'events name snapshots',
    harm: 'update events set state_after = 999999 where position = (select max(position) from events)',
  },
];

test.for(harms)('$harm is found: $check', async ({ check, harm }) => {
  const client = await homeserver.database.connect();
  const tables = ['events', 'rooms', 'current_state', 'memberships', 'event_auth', 'devices'];
  for (const table of tables) await client.query(`create temp table kept_${table} as select * from ${table}`);
  try {
    const { rowCount } = await client.query(harm);
    expect(rowCount).toBeGreaterThan(0);
    const report = await look();
    expect(report.whole).toBe(false);
    const wrong = report.checks.filter(({ problems }) => problems > 0);
    expect(wrong.map(({ name }) => name).filter((name) => name.startsWith(check))).toHaveLength(1);
    expect(wrong[0]?.examples.length).toBeGreaterThan(0);
  } finally {
    for (const table of tables) {
      await client.query(`delete from ${table}`);
      await client.query(`insert into ${table} overriding system value select * from kept_${table}`);
      await client.query(`drop table kept_${table}`);
    }
  }
});

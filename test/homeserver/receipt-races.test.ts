import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient } from '../support/room-client.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startHomeserver();
});
afterAll(() => server.stop());

/** A room with two messages, and how to write a receipt for the first or second past every check. */
async function stage() {
  const alice = await newClient(server);
  const roomId = await alice.createRoom();
  const ids = [await alice.send(roomId, 'first'), await alice.send(roomId, 'second')];
  const [one, other] = server.replicas.map((replica) => replica.app);
  if (one === undefined || other === undefined) throw new Error('two replicas are needed');
  const database = await server.database.connectAsSuperuser();
  const found = await database.query<{ event_no: string }>(
    'select event_no from events where event_id = any($1) order by anchor',
    [ids],
  );
  const numbers = found.rows.map((row) => Number(row.event_no));
  const roomNo = (await one.store.names.roomNo(roomId)) ?? 0;
  const userNo = await one.store.names.userNo(alice.userId);
  const receipt = (index: number) =>
    ({ kind: 'receipt', roomNo, userNo, receiptKind: 1, thread: '', eventNo: numbers[index] ?? 0, ts: 1 }) as const;
  const standing = async () => {
    const { rows } = await database.query<{ event_no: string }>('select event_no from receipts where room_no = $1', [
      roomNo,
    ]);
    return Number(rows[0]?.event_no);
  };
  return { one, other, receipt, standing, second: numbers[1] };
}

test('a receipt that another replica writes late does not step back', async () => {
  const { one, other, receipt, standing, second } = await stage();
  await one.writer.writeStreams([receipt(1)]);
  await other.writer.writeStreams([receipt(0)]);
  expect(await standing()).toBe(second);
});

test('of two receipts in one batch the one further on stands', async () => {
  const { one, receipt, standing, second } = await stage();
  await Promise.all([one.writer.writeStreams([receipt(1)]), one.writer.writeStreams([receipt(0)])]);
  expect(await standing()).toBe(second);
});

import { expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver } from '../support/homeserver.ts';
import { waitFor } from '../support/wait-for.ts';

const Synced = z.looseObject({ next_batch: z.string() });

/** About one replica: what it says, and what becomes of the requests that it holds. */
const startOne = () => startHomeserver({ replicas: 1 });

test('a replica that stops beside another says so first, goes on serving, and answers what waits', async () => {
  const server = await startHomeserver({ replicas: 2, spread: false });
  try {
    const alice = await server.register();
    const sync = (query: string) => server.request('GET', `/_matrix/client/v3/sync?${query}`, { token: alice.token });
    const { next_batch: since } = Synced.parse((await sync('timeout=0')).body);
    const waiting = sync(`since=${since}&timeout=60000`);
    const [replica, other] = server.replicas;
    const metrics = async () => (await fetch(`http://127.0.0.1:${replica?.metricsPort}/metrics`)).text();
    await waitFor(async () => /^matrix_homeserver_long_polls_waiting 1$/m.test(await metrics()), {
      what: 'the long poll',
    });
    const stopped = replica?.stop({ settleMs: 600_000, drainMs: 10_000 });
    await waitFor(async () => (await server.request('GET', '/readyz')).status === 503, { what: '/readyz to say no' });
    const late = await server.request('GET', '/_matrix/client/v3/account/whoami', { token: alice.token });
    expect(late).toMatchObject({ status: 200 });
    expect(late.headers.get('connection')).toBe('close');
    // It goes on until the other one is gone too.
    await other?.stop({ settleMs: 0, drainMs: 0 });
    const answer = await waiting;
    expect(answer).toMatchObject({ status: 200, body: { next_batch: since } });
    await stopped;
    await expect(server.request('GET', '/healthz')).rejects.toThrow();
    const client = await server.database.connect();
    expect((await client.query('select from ops.replica')).rowCount).toBe(0);
  } finally {
    await server.stop();
  }
});

test('replicas that all stop, or the only one, wait for no load balancer: there is nobody to send to', async () => {
  const server = await startHomeserver({ replicas: 3 });
  try {
    // Longer than this test may take.
    const patiently = { settleMs: 600_000, drainMs: 0 };
    const [one, ...others] = server.replicas;
    await Promise.all(others.map((replica) => replica.stop(patiently)).concat(one?.stop(patiently) ?? []));
    const client = await server.database.connect();
    expect((await client.query('select from ops.replica')).rowCount).toBe(0);
  } finally {
    await server.stop();
  }
});

test('a replica whose database is away is not ready, and is again once it is back', async () => {
  const server = await startOne();
  try {
    expect((await server.request('GET', '/readyz')).status).toBe(200);
    const admin = await server.database.connectAsSuperuser();
    await admin.query(`alter database ${server.database.name} connection limit 0`);
    await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1 and datname = $2', [
      server.database.address.username,
      server.database.name,
    ]);
    const away = await server.request('GET', '/readyz');
    const answer = await server.request('GET', '/_matrix/client/v3/profile/@a:test.example');
    await admin.query(`alter database ${server.database.name} connection limit -1`);
    expect(away).toMatchObject({ status: 503 });
    expect(answer).toMatchObject({ status: 503, body: { errcode: 'M_UNKNOWN' } });
    expect(answer.headers.get('retry-after')).toBe('2');
    expect((await server.request('GET', '/healthz')).status).toBe(200);
    await waitFor(async () => (await server.request('GET', '/readyz')).status === 200, {
      what: 'readiness to come back',
    });
  } finally {
    await server.stop();
  }
});

import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import type { MatrixHomeserver } from '../../operator/api/matrix-homeserver.ts';
import { provisionDatabase, tenantLogin } from '../../operator/database/provision.ts';
import type { ProvisionInput } from '../../operator/database/provision.ts';
import { createTenantSession, withSession } from '../../operator/database/sessions.ts';
import { OperatorError } from '../../operator/errors.ts';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import type { RunningPostgres } from '../support/embedded-postgres.ts';
import { startPostgres } from '../support/embedded-postgres.ts';
import { waitFor } from '../support/wait-for.ts';
import { sql } from './support/postgres-servers.ts';
import type { RunningOperator, Stage } from './support/stage.ts';
import {
  applyHomeserver,
  conditionOf,
  openStage,
  readHomeserver,
  waitCondition,
  waitReady,
  writeSecret,
} from './support/stage.ts';
import { TcpProxy } from './support/tcp-proxy.ts';

let stage: Stage;
let operator: RunningOperator;
let folder: string;
/** A server of this file's own, with the proxy before it. */
let server: RunningPostgres;
let proxy: TcpProxy;
let namespace: string;
const plain = { username: 'plain', password: 'plain' };

beforeAll(async () => {
  stage = await openStage();
  operator = await stage.startOperator();
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-faults-'));
  server = await startPostgres({ dataDirectory: folder, settings: { fsync: 'off', max_connections: '25' } });
  await asSuperuser("create role plain login createrole createdb password 'plain'");
  proxy = await new TcpProxy(server.address).start();
  namespace = await stage.namespace();
  await writeSecret(stage.client, { namespace, name: 'plain' }, plain);
  await applyHomeserver(stage, namespace, onProxy());
  await waitReady(stage, namespace);
}, 240_000);
afterEach(async () => {
  proxy.mode = 'open';
  await waitReady(stage, namespace);
});
afterAll(async () => {
  await stage.dispose();
  await proxy.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

function onProxy() {
  const to = { host: '127.0.0.1', port: proxy.port, adminSecretRef: { name: 'plain' } };
  return { database: { server: to, tls: { mode: 'Disable' }, poolSize: 4 } };
}

function asSuperuser(text: string): Promise<unknown[]> {
  const { address } = server;
  return sql({ ...address, database: 'postgres', tls: { mode: 'Disable' }, credentials: '' }, text);
}

let looks = 0;
/** Has the operator look again, by a change that means nothing. */
async function touch(): Promise<void> {
  looks += 1;
  const metadata = { namespace, name: 'chat', annotations: { 'example.org/look': String(looks) } };
  const { apiVersion, kind } = KINDS.homeserver;
  await stage.client.apply(KINDS.homeserver, { apiVersion, kind, metadata }, 'looker');
}

async function deploymentGeneration(): Promise<number | undefined> {
  return (await stage.client.get(KINDS.deployment, { namespace, name: 'chat' }))?.metadata.generation;
}

/** Does the harm, sees it told with the reason, with pods untouched; mends it, and sees the operator recover by itself. */
async function suffer(harm: () => Promise<void>, told: Told, mend: () => Promise<void>): Promise<string> {
  const before = await deploymentGeneration();
  let view: MatrixHomeserver;
  try {
    await harm();
    view = await untilTold(told);
  } finally {
    // Also after a failure: the tests that follow have the same server.
    await mend();
  }
  expect(conditionOf(view, 'Available')).toMatchObject({ status: 'True' });
  expect(conditionOf(view, 'Ready')).toMatchObject({ status: 'False', reason: told.reason });
  await waitCondition(stage, namespace, { type: 'Ready', status: 'True' });
  expect(await deploymentGeneration()).toBe(before);
  return conditionOf(view, 'DatabaseReady')?.message ?? '';
}

/** Has the operator look until it has seen the harm: a look that came just before finds nothing, and asks for no other. */
async function untilTold({ reason, says }: Told): Promise<MatrixHomeserver> {
  await touch();
  return waitFor(
    async () => {
      const seen = await readHomeserver(stage, namespace);
      const found = conditionOf(seen, 'DatabaseReady');
      if (found?.reason === reason && says.test(found.message)) return seen;
      if (conditionOf(seen, 'Ready')?.status === 'True') await touch();
      return undefined;
    },
    { what: `${reason} ${says.source}`, everyMs: 500 },
  );
}

interface Told {
  readonly reason: string;
  readonly says: RegExp;
}

const unreachable = (says: RegExp): Told => ({ reason: 'DatabaseUnreachable', says });

const set = (mode: TcpProxy['mode']) => () => Promise.resolve(void (proxy.mode = mode));

test('a server that is slow only takes longer', async () => {
  proxy.delayMs = 10;
  const slow = await stage.namespace();
  await writeSecret(stage.client, { namespace: slow, name: 'plain' }, plain);
  await applyHomeserver(stage, slow, onProxy());
  await waitCondition(stage, slow, { type: 'Ready', status: 'True' });
  proxy.delayMs = 0;
  const seen = operator.lines.filter((line) => line.includes(slow) && line.includes('DatabaseUnreachable'));
  expect(seen).toEqual([]);
});

test('a server that is down is DatabaseUnreachable, and its return is enough', async () => {
  expect(await suffer(set('refuse'), unreachable(/./), set('open'))).toContain(`127.0.0.1:${proxy.port}`);
});

test('a server that hangs is DatabaseUnreachable, and its return is enough', async () => {
  await suffer(set('hang'), unreachable(/./), set('open'));
});

test('a server that hangs is told also while somebody changes annotations all the time', async () => {
  proxy.mode = 'hang';
  await waitFor(
    async () => {
      await touch();
      return conditionOf(await readHomeserver(stage, namespace), 'DatabaseReady')?.reason === 'DatabaseUnreachable';
    },
    { what: 'DatabaseUnreachable', everyMs: 100 },
  );
});

test('resources whose server hangs hold up no resource on another server', async () => {
  // One hangs in the middle of its work, the others never get a session. The stand-in of the replicas has one too.
  await touch();
  await waitFor(() => proxy.open > 1, { what: 'a session', everyMs: 1 });
  proxy.freeze();
  const hanging = await Promise.all(Array.from({ length: 6 }, () => stage.namespace()));
  for (const one of hanging) {
    await writeSecret(stage.client, { namespace: one, name: 'plain' }, plain);
    await applyHomeserver(stage, one, onProxy());
  }
  await waitFor(() => proxy.open > 0, { what: 'a session that hangs' });
  const healthy = await stage.namespace();
  await applyHomeserver(stage, healthy);
  await waitReady(stage, healthy);
  const views = await Promise.all(hanging.map((one) => readHomeserver(stage, one)));
  expect(views.filter((view) => conditionOf(view, 'Ready')?.status === 'True')).toEqual([]);
  proxy.mode = 'open';
  for (const one of hanging) await stage.client.delete(KINDS.homeserver, { namespace: one, name: 'chat' });
});

test('a server that is told to take no writes is told so', async () => {
  const reload = (value: string) => async () => {
    await asSuperuser(`alter system set default_transaction_read_only = ${value}`);
    await asSuperuser('select pg_reload_conf()');
  };
  await suffer(reload('on'), unreachable(/takes no writes/), reload('off'));
});

test('a standby in the place of the primary is told so, and its promotion is enough', async () => {
  const { data } = z
    .object({ data: z.string() })
    .parse(JSON.parse(await readFile(join(folder, 'cluster.json'), 'utf8')));
  const harm = async () => {
    await writeFile(join(data, 'standby.signal'), '');
    await server.restart('fast');
  };
  const promote = async () => {
    await asSuperuser('select pg_promote()');
  };
  await suffer(harm, unreachable(/it is a standby/), promote);
});

test('a wrong password is LoginRefused and stalls, and its correction is enough', async () => {
  const write = (password: string) => () =>
    writeSecret(stage.client, { namespace, name: 'plain' }, { username: 'plain', password });
  const message = await suffer(write('not-this-one'), { reason: 'LoginRefused', says: /./ }, write('plain'));
  expect(message).toContain(`Secret ${namespace}/plain`);
  expect(message).not.toContain('not-this-one');
});

test('a server without a free connection is DatabaseUnreachable, and a free one is enough', async () => {
  const { host, port } = server.address;
  const taken: pg.Client[] = [];
  const take = async (): Promise<boolean> => {
    const client = new pg.Client({ host, port, user: 'plain', password: 'plain', database: 'postgres' });
    client.on('error', () => undefined);
    try {
      await client.connect();
    } catch {
      return false;
    }
    taken.push(client);
    return true;
  };
  let isTaking = true;
  let keeping: Promise<void> | undefined;
  const keepTaking = async () => {
    // Sessions of the tests before may end only now, and what they leave must not be the operator's.
    while (isTaking) if (!(await take())) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const takeAll = async () => {
    while (await take());
    keeping = keepTaking();
  };
  const giveBack = async () => {
    isTaking = false;
    await keeping;
    await Promise.all(taken.map((client) => client.end()));
  };
  await suffer(takeAll, unreachable(/connection|clients/), giveBack);
});

test('a restart of the server in the middle is survived', async () => {
  await touch();
  await server.restart('immediate');
  await touch();
  await waitCondition(stage, namespace, { type: 'Ready', status: 'True' });
  expect(operator.lines.filter((line) => line.includes('nobody foresaw'))).toEqual([]);
});

test('cut after any number of bytes, making a database fails as DatabaseUnreachable and goes on from there', async () => {
  // A server of its own: sessions that were cut end only with their statement, and must be waited for by their number.
  const alone = await startPostgres({ settings: { fsync: 'off' } });
  const own = await new TcpProxy(alone.address).start();
  const { username, password } = alone.address;
  const login = { host: '127.0.0.1', username, password, database: 'postgres', tls: { mode: 'Disable' as const } };
  const admin = { ...login, port: own.port, credentials: 'Secret x/admin' };
  const direct = { ...login, port: alone.address.port, credentials: '' };
  const sessions = "select 1 from pg_stat_activity where application_name = 'matrix-operator'";
  const noSession = async () => (await sql(direct, sessions)).length === 0;
  const wanted = wish('mhs_cut');
  const work = () => provisionDatabase({ admin, wanted, password: 'pw', resource: 'test/cut' });
  let failures = 0;
  for (let bytes = 50; bytes < 20_000; bytes += 350) {
    own.cutAfter = bytes;
    const error: unknown = await work().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error === undefined) break;
    failures += 1;
    await waitFor(noSession, { what: 'the end of the sessions that were cut' });
    expect(error).toBeInstanceOf(OperatorError);
    expect(error).toMatchObject({ reason: 'DatabaseUnreachable' });
  }
  own.cutAfter = Number.POSITIVE_INFINITY;
  expect(failures).toBeGreaterThan(5);
  expect(await work()).toMatchObject({ ok: true });
  expect(await work()).toMatchObject({ ok: true, changes: 0 });
  await own.close();
  await alone.stop();
});

test('twelve databases made at once on one server never take more than 8 sessions of it', async () => {
  // A server of its own: the sessions of other tests' operators would be counted on the shared one.
  const alone = await startPostgres({ settings: { fsync: 'off' } });
  const { host, port, username, password } = alone.address;
  const admin = { host, port, username, password, database: 'postgres', tls: { mode: 'Disable' as const } };
  const watcher = new pg.Client({ host, port, user: username, password, database: 'postgres' });
  await watcher.connect();
  const text = "select count(*)::int as n from pg_stat_activity where application_name = 'matrix-operator'";
  const counts: number[] = [];
  let isDone = false;
  const watching = (async () => {
    while (!isDone) {
      const { rows } = await watcher.query(text);
      counts.push(
        ...z
          .array(z.object({ n: z.int() }))
          .parse(rows)
          .map(({ n }) => n),
      );
    }
  })();
  const works = Array.from({ length: 12 }, (_, i) => ({
    admin: { ...admin, credentials: 'Secret x/admin' },
    wanted: wish(`mhs_many_${i}`),
    password: 'pw',
    resource: 'test/many',
  }));
  const results = await Promise.all(works.map((work) => provisionDatabase(work)));
  isDone = true;
  await watching;
  const logins = await watcher.query("select sessions::int as n from pg_stat_database where datname = 'postgres'");
  await watcher.end();
  await alone.stop();
  expect(results.filter(({ ok }) => ok)).toHaveLength(12);
  // Who waited got the session of who was before, so that twelve databases took fewer logins of the administrator.
  expect(z.array(z.object({ n: z.int() })).parse(logins.rows)[0]?.n).toBeLessThan(12);
  expect(Math.max(...counts)).toBeGreaterThan(1);
  expect(Math.max(...counts)).toBeLessThanOrEqual(8);
});

test('the steps of a run share one session of the tenant, which has one of the 8 places while it is open', async () => {
  const { host, port, username, password } = server.address;
  const login = { host, port, username, password, database: 'postgres', tls: { mode: 'Disable' as const } };
  const admin = { ...login, credentials: 'Secret x/admin' };
  const keepers = Array.from({ length: 8 }, () => createTenantSession());
  const inputOf = (i: number) => ({
    admin,
    wanted: wish(`mhs_kept_${i}`),
    password: 'pw',
    resource: 'test/kept',
    ...(keepers[i] === undefined ? {} : { keeper: keepers[i] }),
  });
  const inputs = keepers.map((_, i) => inputOf(i));
  const pidOf = (input: ProvisionInput) =>
    withSession(tenantLogin(input), async (session) => {
      const [row] = await session.query('select pg_backend_pid() as pid');
      return z.object({ pid: z.int() }).parse(row).pid;
    });
  for (const input of inputs.slice(0, 7)) {
    // The administrator's session gives its place back, the tenant's keeps one.
    expect(await provisionDatabase(input)).toMatchObject({ ok: true });
    expect(await pidOf(input)).toBe(await pidOf(input));
  }
  const last = inputs[7] ?? inputOf(7);
  const waiting = provisionDatabase(last);
  await keepers[0]?.end();
  expect(await waiting).toMatchObject({ ok: true });
  const [first] = inputs;
  if (first === undefined) throw new Error('no input');
  const broken = withSession(tenantLogin(inputs[1] ?? first), (session) => session.query('select nothing'));
  await expect(broken).rejects.toThrow('nothing');
  expect(keepers.map(({ isOpen }) => isOpen)).toEqual([false, false, true, true, true, true, true, true]);
  await Promise.all(keepers.map((keeper) => keeper.end()));
  await Promise.all(inputs.map((input) => pidOf(input)));
  expect(keepers.every(({ isOpen }) => isOpen)).toBe(true);
  await Promise.all(keepers.map((keeper) => keeper.end()));
});

function wish(name: string) {
  return {
    name,
    claim: randomUUID(),
    serverName: `${name}.example`,
    adoptPolicy: 'None' as const,
    login: 0 as const,
    connectionLimit: 25,
    provisionedBefore: false,
  };
}

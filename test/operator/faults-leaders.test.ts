import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import type { ApiProxy } from './support/api-proxy.ts';
import { startApiProxy } from './support/api-proxy.ts';
import { endState } from './support/compare.ts';
import type { RunningOperator, Stage } from './support/stage.ts';
import { applyHomeserver, openStage, waitReady } from './support/stage.ts';
import { TcpProxy } from './support/tcp-proxy.ts';

let stage: Stage;
let proxy: ApiProxy;
let postgres: TcpProxy;
beforeAll(async () => {
  stage = await openStage();
  proxy = await startApiProxy(stage.api);
  postgres = await new TcpProxy(stage.postgres).start();
});
afterEach(() => {
  proxy.intercept = () => undefined;
  proxy.frozen = false;
  postgres.mode = 'open';
});
afterAll(async () => {
  await stage.dispose();
  await proxy.close();
  await postgres.close();
});

const isWrite = (line: string) => /^(POST|PUT|PATCH|DELETE) /.test(line) && !line.includes('/events');
const isLease = (line: string) => line.includes('/leases');
const leads = (operator: RunningOperator) => operator.lines.join('').includes('this process leads"');

const keysOf = (database: string) =>
  stage.sql('select name, key_id, public_key, state from matrix_operator.signing_key', [], database);

test('an operator that is paused in the middle of a write and wakes later spoils nothing that another did meanwhile', async () => {
  const namespace = await stage.namespace();
  const paused = await stage.startOperator({ kubeconfig: proxy.kubeconfigPath });
  await applyHomeserver(stage, namespace);
  const { status: before } = await waitReady(stage, namespace);
  const keys = await keysOf(before.database?.name ?? '');

  const { promise: wake, resolve } = Promise.withResolvers<undefined>();
  let held = 0;
  proxy.intercept = (line) => {
    if (!isWrite(line)) return undefined;
    held += 1;
    return { after: wake };
  };
  await applyHomeserver(stage, namespace, { replicas: 2 });
  await waitFor(() => held > 0, { what: 'a write that is held' });
  proxy.frozen = true;
  const awake = await stage.startOperator();
  await waitReady(stage, namespace);
  await applyHomeserver(stage, namespace, { replicas: 3, config: { logLevel: 'warn' } });
  await waitReady(stage, namespace);
  const expected = await endState(stage, namespace);
  await awake.stop();

  proxy.intercept = () => undefined;
  resolve(undefined);
  proxy.frozen = false;
  proxy.breakWatches('end');
  await waitFor(async () => (await endState(stage, namespace)) === expected, { what: 'the same end' });
  const { status } = await waitReady(stage, namespace);
  expect(status.readyReplicas).toBe(3);
  expect(status.database?.claim).toBe(before.database?.claim);
  expect(await keysOf(status.database?.name ?? '')).toEqual(keys);
  await paused.stop();
});

test('a leader that is told to wait by a 429 keeps the lease', async () => {
  const namespace = await stage.namespace();
  const options = { kubeconfig: proxy.kubeconfigPath, leaderElection: true, namespace };
  const leader = await stage.startOperator(options);
  await waitFor(() => leads(leader), { what: 'a leader' });
  let refused = 0;
  let renewals = 0;
  proxy.intercept = (line) => {
    if (line.startsWith('PUT') && isLease(line)) renewals += 1;
    if (isLease(line) || refused > 0) return undefined;
    refused += 1;
    return { status: 429, headers: { 'retry-after': '30' } };
  };
  await applyHomeserver(stage, namespace);
  await waitFor(() => refused > 0, { what: 'the 429' });
  const before = renewals;
  // Four renewals take longer than a lease that is not renewed is kept.
  await waitFor(() => renewals >= before + 4, { what: 'four more renewals' });
  expect(leader.lines.join('')).not.toContain('leads no more');
  expect(await leader.stop()).toBe('stopped');
});

test('a leader that is stopped while a database hangs gives the lease up, and another goes on at once', async () => {
  const [stuck, free] = [await stage.namespace(), await stage.namespace()];
  const options = { leaderElection: true, namespace: stuck, watchNamespaces: [stuck, free] };
  const first = await stage.startOperator(options);
  const server = { host: '127.0.0.1', port: postgres.port, adminSecretRef: { name: 'pg-admin' } };
  const onProxy = { database: { server, tls: { mode: 'Disable' } } };
  await applyHomeserver(stage, stuck, onProxy);
  await waitReady(stage, stuck);
  postgres.freeze();
  await applyHomeserver(stage, stuck, { ...onProxy, replicas: 2 });
  await waitFor(() => postgres.open > 0, { what: 'a session that hangs' });
  const second = await stage.startOperator(options);
  expect(await first.stop()).toBe('stopped');
  await applyHomeserver(stage, free);
  await waitReady(stage, free);
  expect(leads(second)).toBe(true);
  postgres.mode = 'open';
  expect((await waitReady(stage, stuck)).status.readyReplicas).toBe(2);
  await second.stop();
});

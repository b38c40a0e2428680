import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { KubeClient } from '../../operator/runtime/kube-client.ts';
import { createKubeClient } from '../../operator/runtime/kube-client.ts';
import type { Resource } from '../../operator/runtime/kube-object.ts';
import type { LeaderLease } from '../../operator/runtime/leader-lease.ts';
import { createLeaderLease } from '../../operator/runtime/leader-lease.ts';
import type { ApiServer } from '../cluster/api-server.ts';
import { waitFor } from '../support/wait-for.ts';
import type { ApiProxy } from './support/api-proxy.ts';
import { startApiProxy } from './support/api-proxy.ts';
import { takeApiServer } from './support/api-servers.ts';

const LEASES: Resource = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases', namespaced: true };
/** As the real ones, three times faster. */
const timing = { leaseMs: 3000, renewMs: 300, giveUpMs: 2000 };

let api: ApiServer;
let direct: KubeClient;
let stop = new AbortController();
const open: { lease: LeaderLease; client: KubeClient; proxy: ApiProxy }[] = [];
let number = 0;

beforeAll(async () => {
  api = await takeApiServer();
  direct = createKubeClient({ kubeconfig: api.kubeconfigPath, userAgent: 'test' });
});
afterEach(async () => {
  stop.abort();
  stop = new AbortController();
  for (const { lease, client, proxy } of open.splice(0)) {
    proxy.intercept = () => undefined;
    await lease.release();
    await client.close();
    await proxy.close();
  }
});
afterAll(async () => {
  await direct.close();
});

/** One process that wants the lease `name`, behind a network of its own. */
async function candidate(name: string, identity: string) {
  const proxy = await startApiProxy(api);
  const client = createKubeClient({ kubeconfig: proxy.kubeconfigPath, userAgent: identity, requestTimeoutMs: 1000 });
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const lease = createLeaderLease({ client, namespace: 'default', name, identity, onError, timing });
  open.push({ lease, client, proxy });
  return { lease, proxy, errors };
}

const newName = () => `lease-${(number += 1)}`;
const holder = async (name: string) => {
  const lease = await direct.get(LEASES, { namespace: 'default', name });
  return lease?.['spec'];
};

test('of two who ask at once one leads, and the other takes over at once when it is released', async () => {
  const name = newName();
  const [a, b] = [await candidate(name, 'a'), await candidate(name, 'b')];
  const asked = [a, b].map(({ lease }) => lease.acquire(stop.signal).then(() => lease));
  const first = await Promise.race(asked);
  expect([a.lease.isLeader, b.lease.isLeader].filter(Boolean)).toEqual([true]);
  await first.release();
  expect(first.isLeader).toBe(false);
  await Promise.all(asked);
  expect([a.lease.isLeader, b.lease.isLeader].filter(Boolean)).toEqual([true]);
  expect(await holder(name)).toMatchObject({ leaseTransitions: 1 });
});

test('a leader that cannot renew stops before anybody else may lead', async () => {
  const name = newName();
  const [a, b] = [await candidate(name, 'a'), await candidate(name, 'b')];
  const lost = await a.lease.acquire(stop.signal);
  const order: string[] = [];
  lost.addEventListener('abort', () => order.push('a stopped'));
  const second = b.lease.acquire(stop.signal).then(() => order.push('b leads'));
  a.proxy.intercept = () => ({ status: 503 });
  await second;
  expect(order).toEqual(['a stopped', 'b leads']);
  expect(a.errors.length).toBeGreaterThan(0);
  expect(await holder(name)).toMatchObject({ holderIdentity: 'b' });
});

test('a leader keeps the lease through an API server that is away for a moment', async () => {
  const name = newName();
  const a = await candidate(name, 'a');
  const lost = await a.lease.acquire(stop.signal);
  let refused = 0;
  a.proxy.intercept = () => ((refused += 1) === 1 ? { status: 503 } : undefined);
  const renewed = async () => JSON.stringify(await holder(name));
  const before = await renewed();
  await waitFor(async () => refused > 2 && (await renewed()) !== before, { what: 'a renewal after the fault' });
  expect(lost.aborted).toBe(false);
});

test('a leader that finds another holder stops at once', async () => {
  const name = newName();
  const a = await candidate(name, 'a');
  const lost = await a.lease.acquire(stop.signal);
  await waitFor(
    async () => {
      const lease = await direct.get(LEASES, { namespace: 'default', name });
      if (lease === undefined) return false;
      await direct.replace(
        LEASES,
        { ...lease, spec: { ...Object(lease['spec']), holderIdentity: 'intruder' } },
        'test',
      );
      return true;
    },
    { what: 'another holder' },
  );
  await waitFor(() => lost.aborted, { what: 'the loss to be noticed' });
  expect(String(lost.reason)).toContain('another process');
});

test('who waits stops waiting when told to', async () => {
  const name = newName();
  const [a, b] = [await candidate(name, 'a'), await candidate(name, 'b')];
  await a.lease.acquire(stop.signal);
  const giveUp = new AbortController();
  const waiting = b.lease.acquire(giveUp.signal);
  giveUp.abort();
  await expect(waiting).rejects.toThrow();
  expect(b.lease.isLeader).toBe(false);
});

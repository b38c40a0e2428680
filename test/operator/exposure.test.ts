import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import type { KubeObject, Resource } from '../../operator/runtime/kube-object.ts';
import { waitFor } from '../support/wait-for.ts';
import { installHttpRoutes } from './support/foreign-kinds.ts';
import type { RunningOperator, Stage } from './support/stage.ts';
import { applyHomeserver, conditionOf, openStage, readHomeserver, waitCondition, waitReady } from './support/stage.ts';

let stage: Stage;
let operator: RunningOperator;
beforeAll(async () => {
  stage = await openStage();
  operator = await stage.startOperator();
});
afterAll(() => stage.dispose());

const GATEWAY = { gateway: { parentRefs: [{ name: 'public', namespace: 'gateways' }] } };

/** What a controller says of an Ingress or an HTTPRoute. */
async function report(resource: Resource, namespace: string, name: string, status: object): Promise<void> {
  const found = await waitFor(() => stage.client.get(resource, { namespace, name }), {
    what: `${resource.kind} ${name}`,
  });
  const { resourceVersion } = found.metadata;
  await stage.client.applyStatus(resource, { namespace, name, resourceVersion, status }, 'controller');
}

async function answer(namespace: string, name: string, accepted: 'True' | 'False'): Promise<void> {
  const route = await waitFor(() => stage.client.get(KINDS.httpRoute, { namespace, name }), { what: name });
  const condition = {
    type: 'Accepted',
    status: accepted,
    reason: accepted === 'True' ? 'Accepted' : 'NotAllowedByListeners',
    message: 'said the controller',
    lastTransitionTime: '2026-11-01T00:00:00Z',
    observedGeneration: route.metadata.generation,
  };
  const parent = { parentRef: { name: 'public', namespace: 'gateways' }, controllerName: 'example.org/gateway' };
  await report(KINDS.httpRoute, namespace, name, { parents: [{ ...parent, conditions: [condition] }] });
}

const read = (resource: Resource, namespace: string, name = 'chat'): Promise<KubeObject | undefined> =>
  stage.client.get(resource, { namespace, name });

test('a route of a kind that the cluster lacks is said, the rest works; it is made as soon as the kind is there', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { exposure: GATEWAY });
  const view = await waitCondition(stage, namespace, { type: 'Exposed', status: 'False', reason: 'KindNotServed' });
  expect(conditionOf(view, 'Exposed')?.message).toContain('HTTPRoute (gateway.networking.k8s.io/v1)');
  await waitCondition(stage, namespace, { type: 'WorkloadReady', status: 'True' });
  expect(conditionOf(await readHomeserver(stage, namespace), 'Ready')?.reason).toBe('KindNotServed');
  expect((await operator.health('/readyz')).status).toBe(200);

  await installHttpRoutes(stage.client);
  await waitCondition(stage, namespace, { type: 'Exposed', status: 'False', reason: 'RoutePending' });
  await answer(namespace, 'chat', 'True');
  await answer(namespace, 'chat-well-known', 'False');
  const refused = await waitCondition(stage, namespace, { type: 'Exposed', status: 'False', reason: 'RouteRefused' });
  expect(conditionOf(refused, 'Stalled')?.message).toContain('NotAllowedByListeners: said the controller');
  await answer(namespace, 'chat-well-known', 'True');
  const { status } = await waitReady(stage, namespace);
  expect(status.endpoints).toEqual({
    client: `https://matrix.${namespace}.example`,
    federation: `matrix.${namespace}.example:443`,
    wellKnownServer: `matrix.${namespace}.example:443`,
  });
});

test('routes that are deleted or edited come back, and go when no longer wanted', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { exposure: GATEWAY });
  const before = await waitFor(() => read(KINDS.httpRoute, namespace), { what: 'the route' });
  await stage.client.delete(KINDS.httpRoute, { namespace, name: 'chat' });
  const after = await waitFor(
    async () => {
      const found = await read(KINDS.httpRoute, namespace);
      return found?.metadata.uid === before.metadata.uid ? undefined : found;
    },
    { what: 'the route to come back' },
  );
  const spec = z.looseObject({ hostnames: z.array(z.string()) }).parse(after['spec']);
  await stage.client.replace(KINDS.httpRoute, { ...after, spec: { ...spec, hostnames: ['evil.example'] } }, 'somebody');
  await waitFor(async () => !JSON.stringify(await read(KINDS.httpRoute, namespace)).includes('evil.example'), {
    what: 'the host to be put back',
  });
  await applyHomeserver(stage, namespace, { exposure: { ingress: {} } });
  await waitFor(() => read(KINDS.ingress, namespace), { what: 'the Ingress' });
  for (const name of ['chat', 'chat-well-known']) {
    const isGone = async () => (await read(KINDS.httpRoute, namespace, name)) === undefined;
    await waitFor(isGone, { what: `the route ${name} to go` });
  }
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  expect(await read(KINDS.ingress, namespace)).toBeUndefined();
});

test('an Ingress is Exposed once its controller has given it an address, and the configuration names the host', async () => {
  const namespace = await stage.namespace();
  const ingress = { className: 'public', annotations: { 'cert-manager.io/cluster-issuer': 'letsencrypt' } };
  await applyHomeserver(stage, namespace, { exposure: { host: 'chat.example.org', ingress } });
  await waitCondition(stage, namespace, { type: 'WorkloadReady', status: 'True' });
  const view = await waitCondition(stage, namespace, { type: 'Exposed', status: 'False', reason: 'RoutePending' });
  expect(conditionOf(view, 'Reconciling')?.status).toBe('True');
  await report(KINDS.ingress, namespace, 'chat', { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } });
  const ready = await waitReady(stage, namespace);
  expect(conditionOf(ready, 'Exposed')?.message).toBe('https://chat.example.org by Ingress chat at 192.0.2.1');
  const { items } = await stage.client.list(KINDS.configMap, { namespace });
  expect(JSON.stringify(items)).toContain('chat.example.org:443');
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import type { Resource } from '../../operator/runtime/kube-object.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Stage } from './support/stage.ts';
import { applyHomeserver, conditionOf, openStage, waitCondition, waitReady, writeSecret } from './support/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  stage.actors.behaviour.servesRoutes = true;
  await stage.startOperator();
});
afterAll(() => stage.dispose());

const NAME = 'chat-element-web';
const ELEMENT_WEB = { host: 'app.example.org', version: '1.12.0', config: { brand: 'One' } };
const CHILDREN: { name: string; resource: Resource }[] = [
  { name: 'Deployment', resource: KINDS.deployment },
  { name: 'Service', resource: KINDS.service },
  { name: 'Ingress', resource: KINDS.ingress },
  { name: 'ConfigMap', resource: KINDS.configMap },
];

const read = (resource: Resource, namespace: string) => stage.client.get(resource, { namespace, name: NAME });
const text = async (resource: Resource, namespace: string) => JSON.stringify(await read(resource, namespace));

test('Element Web is deployed and routed, follows its config, is put back when deleted, and goes when not wanted', async () => {
  const namespace = await stage.namespace();
  const exposure = { ingress: {} };
  await applyHomeserver(stage, namespace, { exposure, integrations: { elementWeb: ELEMENT_WEB } });
  const { status } = await waitReady(stage, namespace);
  expect(status.endpoints?.elementWeb).toBe('https://app.example.org');
  const before = await text(KINDS.deployment, namespace);
  expect(before).toContain('"image":"docker.io/vectorim/element-web:v1.12.0"');
  expect(await text(KINDS.configMap, namespace)).toContain(`matrix.${namespace}.example`);

  for (const { resource } of CHILDREN) await stage.client.delete(resource, { namespace, name: NAME });
  for (const { name, resource } of CHILDREN) {
    await waitFor(() => read(resource, namespace), { what: `the ${name} to come back` });
  }
  const elementWeb = { ...ELEMENT_WEB, config: { brand: 'Two' } };
  await applyHomeserver(stage, namespace, { exposure, integrations: { elementWeb } });
  await waitReady(stage, namespace);
  expect(await text(KINDS.configMap, namespace)).toContain('Two');
  expect(checksum(await text(KINDS.deployment, namespace))).not.toBe(checksum(before));

  await applyHomeserver(stage, namespace, { exposure });
  await waitReady(stage, namespace);
  const left = await Promise.all(CHILDREN.map(({ resource }) => read(resource, namespace)));
  expect(left).toEqual([undefined, undefined, undefined, undefined]);
  expect(await stage.client.get(KINDS.deployment, { namespace, name: 'chat' })).toBeDefined();
});

test('Element Web without a public URL of the server is refused in words, and nothing is made of it', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { integrations: { elementWeb: ELEMENT_WEB } });
  const view = await waitCondition(stage, namespace, {
    type: 'IntegrationsReady',
    status: 'False',
    reason: 'ConfigInvalid',
  });
  expect(conditionOf(view, 'IntegrationsReady')?.message).toContain('set exposure.host or config.publicBaseUrl');
  expect(await read(KINDS.deployment, namespace)).toBeUndefined();
});

test('the secret of TURN is mounted for the server; while it is missing that is said by its name', async () => {
  const namespace = await stage.namespace();
  const turn = { external: { uris: ['turn:turn.example.org'], secretRef: { name: 'turn', key: 'secret' } } };
  const rtc = { external: { url: 'https://rtc.example.org' } };
  await applyHomeserver(stage, namespace, { integrations: { turn, rtc } });
  const view = await waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason: 'SecretMissing' });
  expect(conditionOf(view, 'SecretsReady')?.message).toContain(`${namespace}/turn is missing`);
  await writeSecret(stage.client, { namespace, name: 'turn' }, { secret: 'north' });
  const ready = await waitReady(stage, namespace);
  expect(conditionOf(ready, 'IntegrationsReady')?.message).toBe(
    'TURN at turn:turn.example.org, group calls at https://rtc.example.org',
  );
  const pods = JSON.stringify(await stage.client.get(KINDS.deployment, { namespace, name: 'chat' }));
  expect(pods).toContain('"secretName":"turn"');
  expect(pods).not.toContain('north');
});

function checksum(deployment: string): string {
  return /"matrix-operator.dev\/config-checksum":"([0-9a-f]+)"/.exec(deployment)?.[1] ?? '';
}

import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import type { Resource } from '../../operator/runtime/kube-object.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Stage } from './support/stage.ts';
import {
  applyHomeserver,
  conditionOf,
  openStage,
  readHomeserver,
  waitCondition,
  waitReady,
  writeSecret,
} from './support/stage.ts';

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

const TURN = 'chat-turn';
const TURN_KINDS = [KINDS.deployment, KINDS.service, KINDS.networkPolicy, KINDS.secret];
const readTurn = (resource: Resource, namespace: string) => stage.client.get(resource, { namespace, name: TURN });
const managed = { host: 'turn.example.org', relayPorts: { min: 20_000, max: 20_003 } };

test('a TURN server is made as far as can be without an address, then with it; its secret stays, and all of it goes when not wanted', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { integrations: { turn: { managed } } });
  const type = 'IntegrationsReady';
  const before = await waitCondition(stage, namespace, { type, status: 'False', reason: 'AddressPending' });
  expect(conditionOf(before, type)?.message).toContain('Service chat-turn has no address yet');
  expect(await readTurn(KINDS.deployment, namespace)).toBeUndefined();

  stage.actors.behaviour.balancesAt = { hostname: 'lb.example.net' };
  await waitFor(
    async () => conditionOf(await readHomeserver(stage, namespace), type)?.message.includes('lb.example.net'),
    {
      what: 'the host name to be told',
    },
  );
  stage.actors.behaviour.balancesAt = { ip: '203.0.113.7' };
  const ready = await waitReady(stage, namespace);
  expect(conditionOf(ready, type)?.message).toBe('TURN at turn.example.org (203.0.113.7)');
  const secret = JSON.stringify((await readTurn(KINDS.secret, namespace))?.['data']);
  const deployment = JSON.stringify(await readTurn(KINDS.deployment, namespace));
  expect(deployment).toContain('--external-ip=203.0.113.7/$(POD_IP)');
  const replicas = await stage.client.get(KINDS.deployment, { namespace, name: 'chat' });
  expect(JSON.stringify(replicas)).toContain('"secretName":"chat-turn"');

  for (const resource of [KINDS.deployment, KINDS.networkPolicy]) {
    await stage.client.delete(resource, { namespace, name: TURN });
    await waitFor(() => readTurn(resource, namespace), { what: `the ${resource.kind} to come back` });
  }
  await applyHomeserver(stage, namespace, {
    integrations: { turn: { managed: { ...managed, externalIP: '203.0.113.9' } } },
  });
  expect(conditionOf(await waitReady(stage, namespace), type)?.message).toContain('203.0.113.9');
  expect(JSON.stringify((await readTurn(KINDS.secret, namespace))?.['data'])).toBe(secret);

  const external = { uris: ['turn:turn.example.net'], secretRef: { name: 'turn', key: 'secret' } };
  await writeSecret(stage.client, { namespace, name: 'turn' }, { secret: 'north' });
  await applyHomeserver(stage, namespace, { integrations: { turn: { external } } });
  await waitReady(stage, namespace);
  expect(await Promise.all(TURN_KINDS.map((kind) => readTurn(kind, namespace)))).toEqual(
    TURN_KINDS.map(() => undefined),
  );
});

test('a lost secret of the TURN server is made again for both sides; one of somebody else, and a missing certificate, are told', async () => {
  stage.actors.behaviour.balancesAt = { ip: '203.0.113.7' };
  const namespace = await stage.namespace();
  await writeSecret(stage.client, { namespace, name: TURN }, { mine: 'yes' });
  const tls = { ...managed, tlsSecretName: 'turn-tls' };
  await applyHomeserver(stage, namespace, { integrations: { turn: { managed: tls } } });
  await waitCondition(stage, namespace, { type: 'SecretsReady', status: 'False', reason: 'ObjectConflict' });
  await stage.client.delete(KINDS.secret, { namespace, name: TURN });
  const view = await waitCondition(stage, namespace, {
    type: 'IntegrationsReady',
    status: 'False',
    reason: 'SecretMissing',
  });
  expect(conditionOf(view, 'IntegrationsReady')?.message).toContain('tls.crt');
  await writeSecret(stage.client, { namespace, name: 'turn-tls' }, { 'tls.crt': 'one', 'tls.key': 'two' });
  await waitReady(stage, namespace);

  const sums = () => Promise.all([TURN, 'chat'].map((name) => sumsOf(namespace, name)));
  const [turn, chat] = await sums();
  await stage.client.delete(KINDS.secret, { namespace, name: TURN });
  await waitFor(
    async () => {
      const [newTurn, newChat] = await sums();
      return newTurn !== turn && newChat !== chat;
    },
    { what: 'both to be rolled' },
  );
});

const POD: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const Template = z.looseObject({
  spec: z.looseObject({ template: z.looseObject({ metadata: z.looseObject({}), spec: z.looseObject({}) }) }),
});

test('a namespace that enforces the restricted Pod Security standard takes the pods of all that is made', async () => {
  stage.actors.behaviour.balancesAt = { ip: '203.0.113.7' };
  const namespace = await stage.namespace();
  const exposure = { ingress: {} };
  await applyHomeserver(stage, namespace, { exposure, integrations: { elementWeb: ELEMENT_WEB, turn: { managed } } });
  await waitReady(stage, namespace);
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await stage.client.apply(
    KINDS.namespace,
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } },
    'user',
  );
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name: 'default' } };
  await stage.client.apply(KINDS.serviceAccount, account, 'user');
  const create = async (name: string, change: object = {}) => {
    const { spec } = Template.parse(await stage.client.get(KINDS.deployment, { namespace, name }));
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name: `${name}-pod` } };
    return stage.client.create(POD, { ...pod, spec: { ...spec.template.spec, ...change } }, 'test');
  };
  await expect(create(TURN, { hostNetwork: true })).rejects.toThrow('violates PodSecurity "restricted');
  for (const name of ['chat', NAME, TURN]) await create(name);
});

async function sumsOf(namespace: string, name: string): Promise<string> {
  const found = JSON.stringify(await stage.client.get(KINDS.deployment, { namespace, name }));
  return [...found.matchAll(/"matrix-operator.dev\/[a-z]+-checksum":"[0-9a-f]+"/g)].join();
}

function checksum(deployment: string): string {
  return /"matrix-operator.dev\/config-checksum":"([0-9a-f]+)"/.exec(deployment)?.[1] ?? '';
}

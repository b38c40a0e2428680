import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { waitFor } from '../support/wait-for.ts';
import { installHttpRoutes, installKind } from './support/foreign-kinds.ts';
import type { RunningOperator, Stage } from './support/stage.ts';
import { applyHomeserver, listChildren, openStage, readHomeserver, waitReady, writeSecret } from './support/stage.ts';

/** Every field that goes into a child, written as people write it and not as the API server gives it back. */
const RICH = {
  replicas: 2,
  image: { repository: 'localhost/mirror', digest: `sha256:${'0'.repeat(64)}`, pullSecretRefs: [{ name: 'pull' }] },
  backup: {
    schedule: '15 2 * * *',
    s3: { bucket: 'backups', endpoint: 'https://s3.example.net', prefix: 'a/' },
    keepLast: 3,
  },
  config: { logLevel: 'warn', trustedProxies: ['10.0.0.0/8'] },
  pod: {
    resources: { requests: { cpu: '0.5', memory: '1024Mi' }, limits: { memory: '2048Mi', cpu: 2 } },
    labels: { team: 'chat' },
    annotations: { 'example.org/note': 'a b' },
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [{ key: 'dedicated', operator: 'Exists' }],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/arch', operator: 'In', values: ['amd64'] }] }],
        },
      },
    },
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }],
    priorityClassName: 'high',
    serviceAccountAnnotations: { 'example.org/role': 'reader' },
  },
  autoscaling: { minReplicas: 2, maxReplicas: 5 },
  media: { persistentVolumeClaim: { size: '0.5Gi', accessMode: 'ReadWriteMany', storageClassName: 'shared' } },
  configSecretRefs: [{ name: 'pg-admin' }],
  networkPolicy: {
    ingressFrom: [{ namespaceSelector: { matchLabels: { team: 'web' } }, podSelector: {} }, { podSelector: {} }],
    metricsFrom: [{ namespaceSelector: {} }],
    extraEgress: [
      { to: [{ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.1/32'] } }], ports: [{ port: 443 }] },
      {},
    ],
  },
  monitoring: { labels: { release: 'prometheus' } },
  integrations: {
    elementWeb: { host: 'app.example.org', config: { brand: 'Ours', a: [1, { c: 1, b: 2 }] } },
    turn: { external: { uris: ['turn:turn.example.org'], secretRef: { name: 'pg-admin', key: 'password' } } },
    rtc: { external: { url: 'https://rtc.example.org' } },
  },
};

/** The least of what has children of its own: what is left out is left out of them. */
const PLAIN = {
  backup: { schedule: '@daily', s3: { bucket: 'backups' }, drillSchedule: '@weekly' },
  media: { s3: { bucket: 'files' } },
  federation: { mode: 'Disabled', selfCheck: 'Off' },
  integrations: { turn: { managed: { host: 'turn.example.org' } } },
};

/** A TURN server with everything that it can have. */
const TURN = {
  host: 'turn.example.org',
  serviceAnnotations: { 'example.org/pool': 'public' },
  externalIP: '203.0.113.9',
  relayPorts: { min: 20_000, max: 20_003 },
  tlsSecretName: 'turn-tls',
  allowedPeers: ['10.0.0.0/8', 'fd00::/8'],
  deniedPeers: ['11.0.0.0/8', '2a00:1::/32', 'fd00:1::/32'],
  image: 'registry.example.org/coturn:1',
  resources: { requests: { cpu: '0.5' }, limits: { memory: '1024Mi' } },
};

const ROUTES = [
  { ingress: { className: 'public', annotations: { 'cert-manager.io/cluster-issuer': 'letsencrypt' } } },
  { host: 'chat.example.org', wellKnown: 'External', ingress: { tlsSecretName: 'wildcard' } },
  { gateway: { parentRefs: [{ name: 'public', namespace: 'gateways' }] } },
  { gateway: { parentRefs: [{ name: 'public', sectionName: 'https', port: 443 }, { name: 'inner' }] } },
];

const SPECS = [
  ...ROUTES.map((exposure) => ({ ...RICH, exposure })),
  PLAIN,
  { integrations: { turn: { managed: TURN } }, networkPolicy: { mode: 'Managed' } },
];

let stage: Stage;
const namespaces: string[] = [];
beforeAll(async () => {
  stage = await openStage();
  await installHttpRoutes(stage.client);
  await installKind(stage.client, KINDS.serviceMonitor);
  stage.actors.behaviour.servesRoutes = true;
  stage.actors.behaviour.balancesAt = { ip: '203.0.113.7' };
  const operator = await stage.startOperator();
  for (const spec of SPECS) {
    const namespace = await stage.namespace();
    namespaces.push(namespace);
    await writeSecret(stage.client, { namespace, name: 'turn-tls' }, { 'tls.crt': 'one', 'tls.key': 'two' });
    await applyHomeserver(stage, namespace, spec);
  }
  for (const namespace of namespaces) await waitReady(stage, namespace);
  await operator.stop();
  // The stand-ins write status; what is counted is what the operator writes.
  stage.actors.behaviour.runsPods = false;
});
afterAll(() => stage.dispose());

/** Version of every object that the operator could write, the resources included. */
async function versions(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const namespace of namespaces) {
    const view = await readHomeserver(stage, namespace);
    found[`${namespace}/resource`] = view.metadata.resourceVersion;
    for (const [key, object] of await listChildren(stage, namespace)) {
      found[`${namespace}/${key}`] = object.metadata.resourceVersion;
    }
  }
  return found;
}

const Sample = z.object({ labels: z.record(z.string(), z.union([z.string(), z.number()])), value: z.number() });

async function sum(
  operator: RunningOperator,
  name: string,
  keep: (labels: Record<string, unknown>) => boolean,
): Promise<number> {
  const metric = operator.metrics.registry.getSingleMetric(name);
  const { values } = z.object({ values: z.array(Sample) }).parse(await metric?.get());
  return values.filter(({ labels }) => keep(labels)).reduce((total, { value }) => total + value, 0);
}

test('a run over unchanged resources writes nothing: no object, no status, no row, no request that could write', async () => {
  const before = await versions();
  const operator = await stage.startOperator();
  await waitFor(async () => (await sum(operator, 'matrix_operator_reconcile_total', () => true)) >= SPECS.length, {
    what: 'a run for each resource',
  });
  expect(await versions()).toEqual(before);
  expect(await sum(operator, 'matrix_operator_writes_total', () => true)).toBe(0);
  const isRead = (verb: unknown) => verb === 'get' || verb === 'list' || verb === 'watch';
  expect(await sum(operator, 'matrix_operator_api_requests_total', ({ verb }) => !isRead(verb))).toBe(0);
  expect(await sum(operator, 'matrix_operator_reconcile_total', ({ result }) => result !== 'later')).toBe(0);
  expect(operator.lines.filter((line) => /a child was written|was changed|keys changed/.test(line))).toEqual([]);
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import * as z from 'zod';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import type { Manifest, Resource } from '../../operator/runtime/kube-object.ts';
import { apiRequest } from '../cluster/api-request.ts';
import { waitFor } from '../support/wait-for.ts';
import { CHART, helm, render } from './support/render-chart.ts';
import { writeKubeconfigOf } from './support/kubeconfig-of.ts';
import type { RunningOperator, Stage } from './support/stage.ts';
import { applyHomeserver, conditionOf, listChildren, openStage, waitCondition, waitReady } from './support/stage.ts';

const kind = (apiVersion: string, name: string, plural: string, namespaced: boolean): Resource => ({
  apiVersion,
  kind: name,
  plural,
  namespaced,
});

const RBAC = 'rbac.authorization.k8s.io/v1';
const ADMISSION = 'admissionregistration.k8s.io/v1';
const CHART_KINDS = [
  kind(RBAC, 'ClusterRole', 'clusterroles', false),
  kind(RBAC, 'ClusterRoleBinding', 'clusterrolebindings', false),
  kind(RBAC, 'Role', 'roles', true),
  kind(RBAC, 'RoleBinding', 'rolebindings', true),
  kind(ADMISSION, 'ValidatingAdmissionPolicy', 'validatingadmissionpolicies', false),
  kind(ADMISSION, 'ValidatingAdmissionPolicyBinding', 'validatingadmissionpolicybindings', false),
  kind('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions', false),
  KINDS.serviceAccount,
  KINDS.service,
  KINDS.deployment,
  KINDS.podDisruptionBudget,
  kind('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies', true),
];

const AnyManifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});
const Container = z.looseObject({
  args: z.array(z.string()),
  env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })),
});
const PodSpec = z.looseObject({ containers: z.array(Container) });
const Workload = z.looseObject({ spec: z.looseObject({ template: z.looseObject({ spec: PodSpec }) }) });

let stage: Stage;
let folder: string;
let running: RunningOperator | undefined;
beforeAll(async () => {
  stage = await openStage();
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-chart-'));
});
afterAll(async () => {
  await stage.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** Applies the chart and runs the operator with the rights and the settings that it gives. */
async function install(release: string, namespace: string, values: string[]): Promise<void> {
  await running?.stop();
  const manifests = await render(release, namespace, [...values, 'crds.enabled=false']);
  for (const manifest of manifests) {
    const resource = CHART_KINDS.find((one) => one.kind === manifest.kind);
    if (resource === undefined) throw new Error(`the chart holds a ${manifest.kind}, which this test does not know`);
    await stage.client.apply(resource, manifest, 'helm');
  }
  const deployment = manifests.find((manifest) => manifest.kind === 'Deployment');
  const env = new Map(
    Workload.parse(deployment).spec.template.spec.containers[0]?.env.map(({ name, value }) => [name, value ?? '']),
  );
  const list = (name: string) => (env.get(name) ?? '').split(',').filter((item) => item !== '');
  const secretNamespaces = list('MATRIX_OPERATOR_SECRET_NAMESPACES');
  running = await stage.startOperator({
    kubeconfig: await writeKubeconfigOf(stage.api, { namespace, name: release }, join(folder, `${namespace}.json`)),
    leaderElection: true,
    namespace,
    release,
    watchNamespaces: list('MATRIX_OPERATOR_WATCH_NAMESPACES'),
    secretNamespaces: secretNamespaces.includes('*') ? 'all' : secretNamespaces,
  });
}

test('the whole default chart is accepted by the API server', async () => {
  const namespace = await stage.namespace();
  for (const manifest of await render('whole', namespace, [])) {
    const resource = CHART_KINDS.find((one) => one.kind === manifest.kind) ?? expect.fail(manifest.kind);
    await stage.client.apply(resource, manifest, 'helm');
  }
});

test('the rights for all namespaces are enough for everything the operator does', async () => {
  const [system, namespace] = [await stage.namespace(), await stage.namespace()];
  await install('everywhere', system, ['rbac.tenantClusterWide=true']);
  await applyHomeserver(stage, namespace, { replicas: 2 });
  await waitReady(stage, namespace);
  await stage.client.delete(KINDS.secret, { namespace, name: 'chat-keyring' });
  await applyHomeserver(stage, namespace, { config: { logLevel: 'debug' } });
  await waitReady(stage, namespace);
  expect([...(await listChildren(stage, namespace)).keys()]).not.toContain('PodDisruptionBudget/chat');
  expect(running?.lines.filter((line) => line.includes('orbidden'))).toEqual([]);
});

test('without rights in a namespace the resource stalls and shows a binding that mends it', async () => {
  const [system, namespace] = [await stage.namespace(), await stage.namespace()];
  await install('granted', system, []);
  await applyHomeserver(stage, namespace);
  const view = await waitCondition(stage, namespace, {
    type: 'Stalled',
    status: 'True',
    reason: 'NamespaceNotGranted',
  });
  const message = conditionOf(view, 'SecretsReady')?.message ?? '';
  const [, yaml = ''] = message.split('Apply:\n');
  const binding = AnyManifest.parse(parseAllDocuments(yaml)[0]?.toJS());
  await stage.client.apply(kind(RBAC, 'RoleBinding', 'rolebindings', true), binding, 'admin');
  await applyHomeserver(stage, namespace, { replicas: 2 });
  await waitReady(stage, namespace);
});

test('a namespace that is deleted with its bindings: the operator still drops the database and lets the resource go', async () => {
  const [system, namespace] = [await stage.namespace(), await stage.namespace()];
  await install('leaving', system, [`rbac.tenantNamespaces={${namespace}}`]);
  const { host, port, username, password } = stage.postgres;
  const labels = { 'matrix-operator.dev/database-server': 'shared' };
  const stringData = { host, port: String(port), username, password, tls: 'Disable', namespaces: namespace };
  const metadata = { namespace: system, name: 'shared', labels };
  await stage.client.apply(KINDS.secret, { apiVersion: 'v1', kind: 'Secret', metadata, stringData }, 'platform');
  const homeserver: Manifest = {
    apiVersion: 'matrix-operator.dev/v1alpha1',
    kind: 'MatrixHomeserver',
    metadata: { namespace, name: 'chat' },
    spec: {
      serverName: 'leaving.example',
      database: { serverRef: { name: 'shared' } },
      deletion: { policy: 'Delete', confirm: 'leaving.example' },
    },
  };
  await stage.client.apply(KINDS.homeserver, homeserver, 'user');
  const { status } = await waitReady(stage, namespace);
  await stage.client.delete(KINDS.namespace, { name: namespace });
  await stage.client.delete(kind(RBAC, 'RoleBinding', 'rolebindings', true), { namespace, name: 'leaving' });
  // The namespace controller is let through by the policies of this chart; who stands in for it asks as a person must.
  const annotations = { 'matrix-operator.dev/allow-delete': 'true' };
  for (const { metadata: secret } of (await stage.client.list(KINDS.secret, { namespace })).items) {
    const marked = { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name: secret.name, annotations } };
    await stage.client.apply(KINDS.secret, marked, 'user');
    await stage.client.delete(KINDS.secret, { namespace, name: secret.name });
  }
  await stage.client.delete(KINDS.deployment, { namespace, name: 'chat' });
  await stage.client.delete(KINDS.homeserver, { namespace, name: 'chat' });
  await waitFor(async () => (await stage.client.get(KINDS.homeserver, { namespace, name: 'chat' })) === undefined, {
    what: 'the resource to be gone',
  });
  const { name } = status.database ?? {};
  expect(await stage.sql('select from pg_database where datname = $1', [name])).toEqual([]);
});

test('an operator for one namespace needs no right outside of it', async () => {
  const namespace = await stage.namespace();
  await install('narrow', namespace, [`watch.namespaces={${namespace}}`]);
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  const rendered = await render('narrow', namespace, [`watch.namespaces={${namespace}}`]);
  expect(rendered.filter((manifest) => manifest.kind.startsWith('ClusterRole'))).toEqual([]);
});

const Rules = z.looseObject({
  spec: z.looseObject({
    groups: z.array(
      z.looseObject({
        rules: z.array(z.looseObject({ alert: z.string(), annotations: z.record(z.string(), z.string()) })),
      }),
    ),
  }),
});

test('with metrics on there are alerts with their pages, a ServiceMonitor and dashboards', async () => {
  const on = ['serviceMonitor', 'prometheusRule', 'dashboards'].map((name) => `metrics.${name}=true`);
  const rendered = await render('x', 'x', [
    ...on,
    'metrics.labels.team=a',
    'metrics.runbookURL=https://wiki.example/r',
  ]);
  const of = (name: string) => rendered.find((manifest) => manifest.kind === name) ?? expect.fail(`no ${name}`);
  expect(of('ServiceMonitor').metadata).toMatchObject({ labels: { team: 'a' } });
  const alerts = Rules.parse(of('PrometheusRule')).spec.groups.flatMap(({ rules }) => rules);
  expect(alerts.length).toBeGreaterThan(10);
  for (const { alert, annotations } of alerts) {
    expect(annotations['runbook_url']).toBe(`https://wiki.example/r/${alert}.md`);
    expect(annotations['summary']).not.toBe('');
  }
  const dashboards = rendered.find(({ metadata }) => metadata.name === 'x-dashboards') ?? expect.fail('none');
  const { data } = z.looseObject({ data: z.record(z.string(), z.string()) }).parse(dashboards);
  expect(Object.values(data).map((text) => z.looseObject({ uid: z.string() }).parse(JSON.parse(text)).uid)).toEqual([
    'matrix-homeserver',
    'matrix-operator',
  ]);
});

const FAULTS = [
  { name: 'an unknown value', value: 'replicas=2', words: 'replicas' },
  { name: 'a wrong type', value: 'replicaCount=two', words: 'replicaCount' },
  { name: 'a namespace that none can have', value: 'watch.namespaces={Not_One}', words: 'namespaces' },
];

test.for(FAULTS)('$name is refused by its name', async ({ value, words }) => {
  await expect(render('x', 'x', [value])).rejects.toThrow(words);
});

test('helm lint has nothing to say', async () => {
  expect(await helm(['lint', '--strict', CHART])).toContain('0 chart(s) failed');
});

const KEY_SECRET = 'chat-key-k1';

/** Asks until the policy is in force: the API server takes a moment to load it. */
async function refusalToDelete(namespace: string): Promise<string> {
  return waitFor(
    async () => {
      const dryRun = await apiRequest(
        stage.api,
        'DELETE',
        `/api/v1/namespaces/${namespace}/secrets/${KEY_SECRET}?dryRun=All`,
      );
      return dryRun.status === 403 ? dryRun.body : undefined;
    },
    { what: 'the policy to be in force' },
  );
}

test('the policy keeps signing keys from being deleted or unlabelled by accident, and not from the operator', async () => {
  const [system, namespace] = [await stage.namespace(), await stage.namespace()];
  await install('guarded', system, ['rbac.tenantClusterWide=true']);
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  expect(await refusalToDelete(namespace)).toContain('matrix-operator.dev/allow-delete');
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  expect((await apiRequest(stage.api, 'DELETE', secrets)).status).toBe(403);
  const patch = async (metadata: object) =>
    apiRequest(stage.api, 'PATCH', `${secrets}/${KEY_SECRET}`, { metadata }, 'application/merge-patch+json');
  expect((await patch({ labels: { 'matrix-operator.dev/protect': null } })).status).toBe(403);
  expect((await patch({ labels: { 'matrix-operator.dev/protect': 'false' } })).status).toBe(403);
  expect((await patch({ annotations: { note: 'anything' } })).status).toBe(200);

  // The operator notes states on it and deletes what is revoked.
  const keys = [
    { name: 'k1', state: 'Revoked', compromisedAt: '2026-11-01T00:00:00Z' },
    { name: 'k2', state: 'Active' },
  ];
  await applyHomeserver(stage, namespace, { signingKeys: { keys } });
  await waitReady(stage, namespace);
  expect(await stage.client.get(KINDS.secret, { namespace, name: KEY_SECRET })).toBeUndefined();

  // Whoever means it says so first.
  const other = `${secrets}/chat-key-k2`;
  expect((await apiRequest(stage.api, 'DELETE', other)).status).toBe(403);
  const allow = { metadata: { annotations: { 'matrix-operator.dev/allow-delete': 'true' } } };
  await apiRequest(stage.api, 'PATCH', other, allow, 'application/merge-patch+json');
  expect((await apiRequest(stage.api, 'DELETE', other)).status).toBe(200);
});

test('without policies.enabled the chart makes no policy', async () => {
  const kinds = (await render('plain', 'default', ['policies.enabled=false'])).map((manifest) => manifest.kind);
  expect(kinds.filter((kindName) => kindName.startsWith('ValidatingAdmissionPolicy'))).toEqual([]);
});

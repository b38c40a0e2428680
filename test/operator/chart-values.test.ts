import { expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../../operator/runtime/kube-object.ts';
import { ChartValues } from '../support/chart-values.ts';
import { valuePaths } from '../support/chart-pages.ts';
import { CHART, helm, render, renderText } from './support/render-chart.ts';

const DIGEST = `sha256:${'0a'.repeat(32)}`;

/** For every value something else than its default, and what is then rendered and is not otherwise. */
const CHANGED: Readonly<Record<string, { set: string; shows: string | RegExp }>> = {
  replicaCount: { set: '3', shows: 'replicas: 3' },
  'image.repository': { set: 'mirror.example/x', shows: 'mirror.example/x' },
  'image.tag': { set: '9.9.9', shows: ':9.9.9' },
  'image.digest': { set: DIGEST, shows: `@${DIGEST}` },
  'image.pullPolicy': { set: 'Always', shows: 'imagePullPolicy: Always' },
  'image.pullSecrets': { set: '{mirror}', shows: '- name: mirror' },
  resources: { set: '', shows: 'cpu: 70m' },
  nodeSelector: { set: '', shows: 'disk: ssd' },
  tolerations: { set: '', shows: 'operator: Exists' },
  affinity: { set: '', shows: 'nodeAffinity' },
  'podDisruptionBudget.enabled': { set: 'false', shows: '' },
  'watch.namespaces': { set: '{one}', shows: 'value: "one"' },
  'rbac.tenantNamespaces': { set: '{two}', shows: /kind: RoleBinding\nmetadata:\n {2}name: x\n {2}namespace: two/ },
  'rbac.tenantClusterWide': { set: 'true', shows: /kind: ClusterRoleBinding\nmetadata:\n {2}name: x-tenant/ },
  clusterName: { set: 'north', shows: 'value: "north"' },
  'crds.enabled': { set: 'false', shows: '' },
  'crds.keep': { set: 'false', shows: '' },
  'policies.enabled': { set: 'false', shows: '' },
  maxConcurrentUpgrades: { set: '7', shows: 'value: "7"' },
  'probe.enabled': { set: 'false', shows: /FEDERATION_CHECK\n\s+value: "false"/ },
  'probe.allowCIDRs': { set: '{10.0.0.0/8}', shows: 'value: "10.0.0.0/8"' },
  'metrics.serviceMonitor': { set: 'true', shows: 'kind: ServiceMonitor' },
  'metrics.prometheusRule': { set: 'true', shows: 'kind: PrometheusRule' },
  'metrics.dashboards': { set: 'true', shows: 'grafana_dashboard: "1"' },
  'metrics.labels': { set: '', shows: 'team: a' },
  'metrics.runbookURL': { set: 'https://wiki.example/r', shows: 'https://wiki.example/r/' },
  'networkPolicy.enabled': { set: 'false', shows: '' },
  profiling: { set: 'true', shows: /PROFILING\n\s+value: "true"/ },
  logLevel: { set: 'debug', shows: /LOG_LEVEL\n\s+value: debug/ },
};

/** Values that are objects or lists are set by a part of them. */
const PARTS = [
  'resources.requests.cpu=70m',
  'nodeSelector.disk=ssd',
  'tolerations[0].operator=Exists',
  'affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution=null',
  'metrics.labels.team=a',
];

/** Their absence is what shows; or they do not go with the others. */
const APART: Readonly<Record<string, string | RegExp>> = {
  'podDisruptionBudget.enabled': 'kind: PodDisruptionBudget',
  'crds.enabled': 'kind: CustomResourceDefinition',
  'crds.keep': 'helm.sh/resource-policy: keep',
  'policies.enabled': 'kind: ValidatingAdmissionPolicy',
  'networkPolicy.enabled': 'kind: NetworkPolicy',
};
const ALONE = ['image.tag', 'watch.namespaces', 'rbac.tenantClusterWide', 'crds.keep'];

const setsOf = (paths: readonly string[]) =>
  paths.flatMap((path) => (CHANGED[path]?.set === '' ? [] : [`${path}=${CHANGED[path]?.set ?? ''}`]));
const shows = (text: string, what: string | RegExp) =>
  typeof what === 'string' ? text.includes(what) : what.test(text);

test('every value does something', async () => {
  expect(new Set(Object.keys(CHANGED))).toEqual(new Set(valuePaths()));
  const usual = await renderText('x', 'x', []);
  const together = Object.keys(CHANGED).filter((path) => !ALONE.includes(path));
  const changed = await renderText('x', 'x', [...setsOf(together), ...PARTS]);
  const alone = new Map<string, string>();
  for (const path of ALONE) alone.set(path, await renderText('x', 'x', setsOf([path])));
  const idle = Object.entries(CHANGED).filter(([path, { shows: what }]) => {
    const [text, gone] = [alone.get(path) ?? changed, APART[path]];
    return gone === undefined ? !shows(text, what) || shows(usual, what) : shows(text, gone) || !shows(usual, gone);
  });
  expect(idle).toEqual([]);
});

test('values.yaml holds the defaults of the schema and nothing else', async () => {
  const yaml: unknown = parse(await readFile(join(CHART, 'values.yaml'), 'utf8'));
  expect(yaml).toEqual(ChartValues.parse({}));
});

const Rules = z.array(
  z.object({ apiGroups: z.array(z.string()), resources: z.array(z.string()), verbs: z.array(z.string()) }),
);

function rulesOf(manifests: readonly Manifest[], kind: string, name: string) {
  const role =
    manifests.find((one) => one.kind === kind && one.metadata.name === name) ?? expect.fail(`no ${kind} ${name}`);
  return Rules.parse(role['rules']);
}

test('in the whole cluster the operator reads what it made and writes only to its own kind; all else is granted by namespace', async () => {
  const manifests = await render('x', 'x', ['rbac.tenantNamespaces={two}']);
  const bound = manifests.filter(({ kind }) => kind === 'ClusterRoleBinding').map(({ metadata }) => metadata.name);
  expect(bound).toEqual(['x-watch']);
  const everywhere = rulesOf(manifests, 'ClusterRole', 'x-watch');
  expect(
    everywhere.flatMap(({ resources }) => resources).filter((one) => ['secrets', 'configmaps', 'pods'].includes(one)),
  ).toEqual([]);
  const reads = ['get', 'list', 'watch'];
  const writes = everywhere.filter(({ verbs }) => verbs.some((verb) => !reads.includes(verb)));
  expect(new Set(writes.flatMap(({ resources }) => resources))).toEqual(
    new Set(['matrixhomeservers', 'matrixhomeservers/status', 'matrixhomeservers/finalizers']),
  );
  expect(writes.flatMap(({ verbs }) => verbs).filter((verb) => ['create', 'delete', '*'].includes(verb))).toEqual([]);
  const granted = manifests.filter(({ kind, metadata }) => kind === 'RoleBinding' && metadata.namespace === 'two');
  expect(granted.map((binding) => binding['roleRef'])).toEqual([
    { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'x-tenant' },
  ]);
});

test.for([
  { name: 'in the cluster', set: 'rbac.tenantClusterWide=true', kind: 'ClusterRole', role: 'x-tenant' },
  { name: 'in single namespaces', set: 'watch.namespaces={one}', kind: 'Role', role: 'x' },
])(
  '$name no role runs commands in pods, acts as others, gives rights or touches nodes',
  async ({ set, kind, role }) => {
    const rules = rulesOf(await render('x', 'x', [set]), kind, role);
    const asked = rules.flatMap(({ resources, verbs }) => [...resources, ...verbs]);
    const never = [
      'pods',
      'pods/exec',
      'pods/attach',
      'nodes',
      'roles',
      'rolebindings',
      'impersonate',
      'escalate',
      'bind',
      '*',
    ];
    expect(asked.filter((one) => never.includes(one))).toEqual([]);
  },
);

test('for single namespaces there are Roles there, and nothing of the cluster but CRD and policies', async () => {
  const manifests = await render('x', 'x', ['watch.namespaces={one,two}']);
  const wide = manifests.filter(({ metadata }) => metadata.namespace === undefined).map(({ kind }) => kind);
  expect(new Set(wide)).toEqual(
    new Set(['CustomResourceDefinition', 'ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding']),
  );
  const roles = manifests.filter(({ kind, metadata }) => kind === 'Role' && metadata.name === 'x');
  expect(roles.map(({ metadata }) => metadata.namespace)).toEqual(['one', 'two']);
});

const NOTES = [
  {
    name: 'nowhere yet',
    sets: [],
    says: ['It may work in: no namespace yet.', 'kubectl -n NAMESPACE create rolebinding x'],
  },
  { name: 'in granted namespaces', sets: ['rbac.tenantNamespaces={two}'], says: ['It may work in: two.'] },
  { name: 'everywhere', sets: ['rbac.tenantClusterWide=true'], says: ['It may work in every namespace.'] },
  {
    name: 'in watched namespaces',
    sets: ['watch.namespaces={one}'],
    says: ['It works in: one.', 'delete such resources before it'],
  },
];

test.for(NOTES)(
  'the notes say where the operator may work ($name) and how to let go of a resource',
  async ({ sets, says }) => {
    const words = [...sets.flatMap((set) => ['--set', set]), '--set', 'crds.enabled=false'];
    const text = await helm(['install', 'x', CHART, '--namespace', 'y', '--dry-run=client', ...words]);
    const notes = text.slice(text.indexOf('NOTES:'));
    for (const part of [...says, 'runs in namespace y', '"finalizers":null']) expect(notes).toContain(part);
  },
);

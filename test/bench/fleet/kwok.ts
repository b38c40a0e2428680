import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import * as z from 'zod';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import type { Manifest, Resource } from '../../../operator/runtime/kube-object.ts';
import { apiRequest } from '../../cluster/api-request.ts';
import type { ApiServerHandle, ApiServerPrograms } from '../../cluster/api-server.ts';
import { apiServerPrograms } from '../../cluster/api-server.ts';
import { binary } from '../../cluster/binaries.ts';
import { type ServerProcess, startServer } from '../../cluster/child-process.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Root } from './cpu.ts';

/** On a pod: what its program would have done by now is done. */
export const PROGRAM_LABEL = 'matrix-operator.dev/bench-program';
const NODE = 'kwok';
const MANAGER = 'bench-kwok';
/** Those that a fleet of homeservers has work for. */
const CONTROLLERS = ['deployment-controller', 'replicaset-controller', 'job-controller', 'endpointslice-controller'];

const MANAGER_WORDS = [
  `--controllers=${CONTROLLERS.join(',')}`,
  '--leader-elect=false',
  '--secure-port=0',
  '--kube-api-qps=1000',
  '--kube-api-burst=2000',
];

const admission = (kind: string, plural: string): Resource => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind,
  plural,
  namespaced: false,
});
const POLICIES = admission('MutatingAdmissionPolicy', 'mutatingadmissionpolicies');
const BINDINGS = admission('MutatingAdmissionPolicyBinding', 'mutatingadmissionpolicybindings');
const NODES: Resource = { apiVersion: 'v1', kind: 'Node', plural: 'nodes', namespaced: false };
const Pod = z.looseObject({ spec: z.looseObject({ nodeName: z.string() }) });

/** An API server whose etcd serves what the watches of kwok begin with: Debian's 3.4 tells them of no progress. */
export async function kwokPrograms(): Promise<ApiServerPrograms> {
  return { ...(await apiServerPrograms()), etcd: await binary('etcd') };
}

/** The controllers of Kubernetes, and kwok as the kubelet of one node that takes every pod. */
export interface Kwok {
  /** Programs by name. */
  readonly servers: Readonly<Record<string, Root>>;
  /** Until then every pod is pending. */
  addNode(): Promise<void>;
  stop(): Promise<void>;
}

export async function startKwok(api: ApiServerHandle, client: KubeClient, folder: string): Promise<Kwok> {
  const config = join(folder, 'kwok.yaml');
  await writeFile(config, STAGES.map((stage) => stringify(stage)).join('---\n'));
  const running: ServerProcess[] = [];
  const start = async (program: 'kwok' | 'kube-controller-manager', args: readonly string[]): Promise<void> => {
    const words = [`--kubeconfig=${api.kubeconfigPath}`, ...args];
    running.push(await startServer(await binary(program), words, join(folder, `${program}.log`)));
  };
  const servers = {
    'controller manager': ['kube-controller-manager', api.kubeconfigPath],
    kwok: ['/kwok', config],
  };
  await binary('kwok');
  await placePods(api, client);
  await start('kube-controller-manager', MANAGER_WORDS);
  return {
    servers,
    async addNode() {
      await start('kwok', [`--config=${config}`, '--manage-all-nodes', '--node-lease-duration-seconds=0']);
      await client.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } }, MANAGER);
    },
    async stop() {
      await Promise.all(running.map((server) => server.kill()));
    },
  };
}

/** Each pod is made on the one node there is: a scheduler would have nothing to choose. */
async function placePods(api: ApiServerHandle, client: KubeClient): Promise<void> {
  const metadata = { name: 'place-pods' };
  const resourceRules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }];
  const expression = `Object{spec: Object.spec{nodeName: "${NODE}"}}`;
  const mutations = [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }];
  const spec = { matchConstraints: { resourceRules }, failurePolicy: 'Fail', reinvocationPolicy: 'Never', mutations };
  const manifest = ({ apiVersion, kind }: Resource, more: object): Manifest => ({
    apiVersion,
    kind,
    metadata,
    ...more,
  });
  await client.create(POLICIES, manifest(POLICIES, { spec }), MANAGER);
  await client.create(BINDINGS, manifest(BINDINGS, { spec: { policyName: metadata.name } }), MANAGER);
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [{ name: 'none', image: 'none' }] } };
  await waitFor(
    async () => {
      const { body } = await apiRequest(api, 'POST', '/api/v1/namespaces/default/pods?dryRun=All', pod);
      return Pod.safeParse(JSON.parse(body)).data?.spec.nodeName === NODE;
    },
    { what: 'pods to be placed' },
  );
}

interface When {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values?: readonly string[];
}

const stage = (kind: string, name: string, matchExpressions: readonly When[], next: object): object => ({
  apiVersion: 'kwok.x-k8s.io/v1alpha1',
  kind: 'Stage',
  metadata: { name },
  spec: { resourceRef: { apiGroup: 'v1', kind }, selector: { matchExpressions }, next },
});

const READY = '.status.conditions.[] | select( .type == "Ready" ) | .status';
const isLiving: When = { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' };
const inPhase = (phase: string): When => ({ key: '.status.phase', operator: 'In', values: [phase] });
const isDone: When = { key: `.metadata.labels["${PROGRAM_LABEL}"]`, operator: 'Exists' };
const isNotReady: When = { key: READY, operator: 'NotIn', values: ['True'] };
const ofJob = (operator: 'In' | 'NotIn'): When => ({
  key: '.metadata.ownerReferences.[].kind',
  operator,
  values: ['Job'],
});

const conditions = (status: 'True' | 'False', types: readonly string[]): string =>
  types.map((type) => `- {type: ${type}, status: "${status}", lastTransitionTime: {{ Now | Quote }}}\n`).join('');
const CONTAINERS = (facts: string): string => `containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", restartCount: 0, ${facts}}
{{ end }}
`;
const RUNNING = 'started: true, state: {running: {startedAt: {{ Now | Quote }}}}';
const ENDED =
  'terminated: {exitCode: 0, reason: Completed, startedAt: {{ Now | Quote }}, finishedAt: {{ Now | Quote }}}';

/** A kubelet as far as controllers see it: a pod runs, then is ready, or ends, once the benchmark has done its program's work. */
const STAGES: readonly object[] = [
  stage('Node', 'node-ready', [isNotReady], { statusTemplate: `conditions:\n${conditions('True', ['Ready'])}` }),
  stage('Pod', 'pod-running', [isLiving, inPhase('Pending')], {
    statusTemplate: `phase: Running
startTime: {{ Now | Quote }}
conditions:
${conditions('True', ['PodScheduled', 'Initialized'])}${conditions('False', ['ContainersReady', 'Ready'])}${CONTAINERS(`ready: false, ${RUNNING}`)}podIP: {{ PodIPWith .spec.nodeName false ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
`,
  }),
  stage('Pod', 'pod-ready', [isLiving, inPhase('Running'), ofJob('NotIn'), isDone, isNotReady], {
    statusTemplate: `conditions:
${conditions('True', ['ContainersReady', 'Ready'])}${CONTAINERS(`ready: true, ${RUNNING}`)}`,
  }),
  stage('Pod', 'pod-succeeded', [isLiving, inPhase('Running'), ofJob('In'), isDone], {
    statusTemplate: `phase: Succeeded\n${CONTAINERS(`ready: false, started: false, state: {${ENDED}}`)}`,
  }),
  stage('Pod', 'pod-gone', [{ key: '.metadata.deletionTimestamp', operator: 'Exists' }], { delete: true }),
];

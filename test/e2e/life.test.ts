import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { helm, kubectl } from '../cluster/clients.ts';
import type { ClusterHandle } from '../cluster/cluster.ts';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { documentedCommands } from '../support/documented-commands.ts';
import { kubectlMatrix } from '../support/kubectl-matrix.ts';
import { waitFor } from '../support/wait-for.ts';
import { apiOf, PODS } from './support/api.ts';
import { OPERATOR_PODS } from './support/pods.ts';
import {
  apply,
  chartValues,
  condition,
  getHomeserver,
  installOperator,
  NAMESPACE,
  OPERATOR_NAMESPACE,
} from './support/quickstart.ts';
import { cluster } from './support/setup.ts';

/** Two resources, each in a namespace of its own: what is left of one stays, the other goes with its database. */
const KEEPS = 'life-keeps';
const DROPS = 'life-drops';
const NAME = 'life';
const HEAD = { apiVersion: 'matrix-operator.dev/v1alpha1', kind: 'MatrixHomeserver', metadata: { name: NAME } };

let handle: ClusterHandle;
let image: string;

beforeAll(async () => {
  handle = await cluster();
  const path = 'jsonpath={.spec.template.spec.containers[0].image}';
  image = await kubectl(handle, [
    'get',
    'deployment',
    'matrix-operator',
    '--namespace',
    OPERATOR_NAMESPACE,
    '-o',
    path,
  ]);
  const secret = ['get', 'secret', 'postgres-admin', '--namespace', NAMESPACE, '-o', 'jsonpath={.data}'];
  const data = z.record(z.string(), z.string()).parse(JSON.parse(await kubectl(handle, secret)));
  await offerServer(data);
  for (const namespace of [KEEPS, DROPS]) {
    await apply(handle, JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }));
    await apply(
      handle,
      JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'admin' }, data }),
      namespace,
    );
    await create(namespace);
  }
  for (const namespace of [KEEPS, DROPS]) await ready(namespace);
});

afterAll(async () => {
  await kubectl(handle, ['delete', 'namespace', KEEPS, DROPS, '--wait=false', '--ignore-not-found']);
  await kubectl(handle, ['delete', 'secret', 'life', '--namespace', OPERATOR_NAMESPACE, '--ignore-not-found']);
});

/** The server's login beside the operator, for the one; the other has it in its own namespace, which is deleted with it. */
async function offerServer(login: Readonly<Record<string, string>>): Promise<void> {
  const text = (key: string) => Buffer.from(login[key] ?? '', 'base64').toString('utf8');
  const stringData = {
    host: `postgres.${NAMESPACE}.svc`,
    port: '5432',
    username: text('username'),
    password: text('password'),
    tls: 'Disable',
    namespaces: KEEPS,
  };
  const metadata = { name: 'life', labels: { 'matrix-operator.dev/database-server': 'life' } };
  await apply(handle, JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata, stringData }), OPERATOR_NAMESPACE);
}

async function create(namespace: string): Promise<void> {
  const serverName = `${namespace}.example.org`;
  const server = { host: `postgres.${NAMESPACE}.svc`, adminSecretRef: { name: 'admin' } };
  const way =
    namespace === DROPS
      ? { database: { server, tls: { mode: 'Disable' } }, deletion: { policy: 'Delete', confirm: serverName } }
      : { database: { serverRef: { name: 'life' } } };
  const spec = { serverName, federation: { selfCheck: 'Off' }, ...way };
  await apply(handle, JSON.stringify({ ...HEAD, spec }), namespace);
}

async function ready(namespace: string, replicas = 1): Promise<void> {
  await waitFor(
    async () => {
      const view = await getHomeserver(handle, NAME, namespace);
      const isCurrent = view.status.observedGeneration === view.metadata.generation;
      return isCurrent && condition(view, 'Ready')?.status === 'True' && view.status.readyReplicas === replicas;
    },
    { what: `${namespace}/${NAME} to be Ready with ${replicas}`, timeoutMs: 120_000, everyMs: 100 },
  );
}

/** A field of the resource. */
async function field(namespace: string, path: string): Promise<string> {
  return kubectl(handle, ['get', 'matrixhomeserver', NAME, '--namespace', namespace, '-o', `jsonpath={${path}}`]);
}

const ACTIVE_KEY = '.status.signingKeys[?(@.state=="Active")].keyID';

const Objects = z.looseObject({
  items: z.array(
    z.looseObject({
      kind: z.string(),
      metadata: z.looseObject({ name: z.string(), uid: z.string(), resourceVersion: z.string() }),
      status: z
        .looseObject({ containerStatuses: z.array(z.looseObject({ restartCount: z.int() })).optional() })
        .optional(),
    }),
  ),
});

async function objects(kinds: string, where: readonly string[]) {
  return Objects.parse(JSON.parse(await kubectl(handle, ['get', kinds, ...where, '-o', 'json']))).items;
}

/** Every serving pod of the cluster with how often it was restarted. */
async function pods(): Promise<string[]> {
  const found = await objects('pods', ['-A', '-l', 'app.kubernetes.io/component=homeserver']);
  return found
    .map(({ metadata, status }) => `${metadata.uid} ${status?.containerStatuses?.[0]?.restartCount ?? 0}`)
    .toSorted((a, b) => a.localeCompare(b));
}

/** Every child of every resource, by its version. */
async function children(): Promise<string[]> {
  const kinds = 'deployments,services,configmaps,secrets,serviceaccounts,networkpolicies,poddisruptionbudgets,jobs';
  const found = await objects(kinds, ['-A', '-l', 'matrix-operator.dev/homeserver']);
  return found
    .map(({ kind, metadata }) => `${kind} ${metadata.name} ${metadata.resourceVersion}`)
    .toSorted((a, b) => a.localeCompare(b));
}

async function operators() {
  return objects('pods', ['--namespace', OPERATOR_NAMESPACE, '-l', 'app.kubernetes.io/name=matrix-operator']);
}

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** The sum of a counter over the operator's pods. */
async function counted(counter: string): Promise<number> {
  let sum = 0;
  const pods = await apiOf(handle).list(PODS, { namespace: OPERATOR_NAMESPACE, labelSelector: OPERATOR_PODS });
  for (const { metadata } of pods.items) {
    const path = `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods/${metadata.name}:8080/proxy/metrics`;
    const text = await textOf(await apiOf(handle).streamRaw(path, {}));
    for (const [, value] of text.matchAll(new RegExp(`^matrix_operator_${counter}(?:\\{.*\\})? (\\S+)$`, 'gm')))
      sum += Number(value);
  }
  return sum;
}

const Keys = z.looseObject({ verify_keys: z.record(z.string(), z.unknown()) });

/** Ids of the keys with which the server signs, as it tells other servers. */
async function publishedKeys(namespace: string): Promise<string[]> {
  const path = `/api/v1/namespaces/${namespace}/services/${NAME}:8008/proxy/_matrix/key/v2/server`;
  return Object.keys(Keys.parse(JSON.parse(await kubectl(handle, ['get', '--raw', path]))).verify_keys);
}

async function uninstall(): Promise<void> {
  await helm(handle, ['uninstall', 'matrix-operator', '--namespace', OPERATOR_NAMESPACE, '--wait']);
}

/** Installs the chart by the command of a page, with the image that these nodes have. */
async function install(document: string): Promise<void> {
  const command = documentedCommands().find(
    (one) => one.document === document && one.command.startsWith('helm install'),
  );
  const [, ...words] = command?.command.split(' ') ?? expect.fail(`${document} installs nothing`);
  await helm(handle, [...words, ...chartValues(image), '--wait', '--timeout', '180s']);
}

test('scaled by kubectl, its replicas follow', async () => {
  await kubectl(handle, ['scale', 'matrixhomeserver', NAME, '--namespace', KEEPS, '--replicas=2']);
  await ready(KEEPS, 2);
});

test('the same chart and the same resource applied again: no pod restarts and the operator writes nothing', async () => {
  await installOperator(handle, image);
  await ready(DROPS);
  const state = async () => ({
    pods: await pods(),
    operators: (await operators()).map(({ metadata }) => metadata.uid),
    children: await children(),
    writes: await counted('writes_total'),
  });
  const before = await state();
  const runs = await counted('reconcile_total');
  await installOperator(handle, image);
  await create(DROPS);
  // So that there is a run to look at: an applied resource without a change is no event.
  const look = ['annotate', 'matrixhomeserver', NAME, '--namespace', DROPS, 'example.org/look=again', '--overwrite'];
  await kubectl(handle, look);
  await waitFor(async () => (await counted('reconcile_total')) > runs, {
    what: 'the operator to look',
    timeoutMs: 60_000,
    everyMs: 250,
  });
  expect(await state()).toEqual(before);
});

test('a key is rotated on every replica, with the waits that depend on other servers made short', async () => {
  const operator = ['--namespace', OPERATOR_NAMESPACE, 'deployment/matrix-operator'];
  await kubectl(handle, ['set', 'env', ...operator, 'MATRIX_OPERATOR_KEY_WAIT_DIVISOR=1000000']);
  await kubectl(handle, ['rollout', 'status', ...operator, '--timeout=120s'], { timeoutMs: 130_000 });
  const [old = ''] = await publishedKeys(KEEPS);
  const rotate = ['rotate-key', NAME, '-n', KEEPS, '--context', handle.contextName, '--whole', '--apply'];
  expect(await kubectlMatrix(rotate, { kubeconfig: handle.kubeconfigPath })).toMatchObject({ code: 0 });
  const active = () => field(KEEPS, ACTIVE_KEY);
  await waitFor(async () => ![old, ''].includes(await active()), {
    what: 'another key to sign',
    timeoutMs: 120_000,
    everyMs: 250,
  });
  expect(await publishedKeys(KEEPS)).toContain(await active());
});

test('the operator removed and installed again by Helm: resources live on and nothing restarts', async () => {
  const before = await pods();
  await uninstall();
  expect(await pods()).toEqual(before);
  expect((await publishedKeys(KEEPS)).length).toBeGreaterThan(0);
  expect((await getHomeserver(handle, NAME, DROPS)).metadata.generation).toBe(1);
  await install('README.md');
  await ready(DROPS);
  await uninstall();
  await install('examples/quickstart/README.md');
  await ready(DROPS);
  expect(await pods()).toEqual(before);
});

test('deleted and applied again, the resource takes back its database and its keys', async () => {
  const facts = async () => [await field(KEEPS, '.status.database.claim'), await field(KEEPS, ACTIVE_KEY)];
  const before = await facts();
  const spec: unknown = JSON.parse(await field(KEEPS, '.spec'));
  const gone = ['delete', 'matrixhomeserver', NAME, '--namespace', KEEPS, '--timeout=60s'];
  await kubectl(handle, gone, { timeoutMs: 70_000 });
  await apply(handle, JSON.stringify({ ...HEAD, spec }), KEEPS);
  await waitFor(async () => (await facts()).join() === before.join(), { what: 'the same again', timeoutMs: 90_000 });
  await waitFor(async () => (await publishedKeys(KEEPS)).includes(before[1] ?? ''), {
    what: 'the key to be published again',
    timeoutMs: 90_000,
  });
});

test('their namespaces deleted, both go; one database is dropped although the login for it went too, the other stays', async () => {
  const databases = [await field(KEEPS, '.status.database.name'), await field(DROPS, '.status.database.name')];
  await kubectl(handle, ['delete', 'namespace', KEEPS, DROPS, '--wait=false']);
  const isGone = async (name: string) => (await apiOf(handle).get(KINDS.namespace, { name })) === undefined;
  await waitFor(async () => (await isGone(KEEPS)) && (await isGone(DROPS)), {
    what: 'both namespaces to be gone',
    timeoutMs: 180_000,
    everyMs: 100,
  });
  const ask =
    'PGPASSWORD="$POSTGRES_PASSWORD" exec /usr/lib/postgresql/*/bin/psql -h 127.0.0.1 -U "$POSTGRES_USER" -Atc "select datname from pg_database"';
  const where = ['exec', '--namespace', NAMESPACE, 'statefulset/postgres', '--', 'sh', '-c', ask];
  const found = await kubectl(handle, where);
  expect(databases.map((name) => found.split('\n').includes(name))).toEqual([true, false]);
});

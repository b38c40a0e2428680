import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import * as z from 'zod';
import { changeSpec } from '../../operator/plugin/change-spec.ts';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import type { Resource } from '../../operator/runtime/kube-object.ts';
import type { PluginRun } from '../support/kubectl-matrix.ts';
import { kubectlMatrix } from '../support/kubectl-matrix.ts';
import { containing } from '../support/matching.ts';
import { waitFor } from '../support/wait-for.ts';
import { writeKubeconfigOf } from './support/kubeconfig-of.ts';
import type { Stage } from './support/stage.ts';
import { applyHomeserver, openStage, readHomeserver, waitCondition, waitReady } from './support/stage.ts';
import { TEST_CATALOGUE } from './support/test-programs.ts';

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'kubectl-plugin.md');
const RBAC = 'rbac.authorization.k8s.io/v1';
const ROLE: Resource = { apiVersion: RBAC, kind: 'ClusterRole', plural: 'clusterroles', namespaced: false };
const BINDING: Resource = { apiVersion: RBAC, kind: 'RoleBinding', plural: 'rolebindings', namespaced: true };
const Role = z.looseObject({
  apiVersion: z.string(),
  kind: z.literal('ClusterRole'),
  metadata: z.looseObject({ name: z.string() }),
});

let stage: Stage;
let folder: string;
beforeAll(async () => {
  stage = await openStage();
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-plugin-'));
  await stage.startOperator({ catalogue: TEST_CATALOGUE, keyWaitDivisor: 1_000_000 });
  for (const role of await rolesOfPage()) await stage.client.apply(ROLE, role, 'admin');
});
afterAll(async () => {
  await stage.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** The roles that the page tells to apply. */
async function rolesOfPage() {
  const [, yaml = ''] = /```yaml\n([^`]*kind: ClusterRole[^`]*)```/.exec(await readFile(PAGE, 'utf8')) ?? [];
  return parseAllDocuments(yaml).map((document) => Role.parse(document.toJS()));
}

type Person = (...args: string[]) => Promise<PluginRun>;

/** Somebody with these roles in a namespace and no other right. */
async function personWith(namespace: string, roles: readonly string[]): Promise<Person> {
  const name = `person-${roles.length}`;
  await stage.client.apply(
    KINDS.serviceAccount,
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name } },
    'admin',
  );
  for (const role of roles) {
    const manifest = {
      apiVersion: RBAC,
      kind: 'RoleBinding',
      metadata: { namespace, name: `${name}-${role}` },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    };
    await stage.client.apply(BINDING, manifest, 'admin');
  }
  const kubeconfig = await writeKubeconfigOf(stage.api, { namespace, name }, join(folder, `${namespace}-${name}.json`));
  return (...args) => kubectlMatrix(args, { kubeconfig });
}

const viewer = (namespace: string) => personWith(namespace, ['matrix-plugin-view']);
const editor = (namespace: string) => personWith(namespace, ['matrix-plugin-view', 'matrix-plugin-change']);

test('status tells how a homeserver is and what to do, to somebody who may only look', async () => {
  const namespace = await stage.namespace();
  const view = await viewer(namespace);
  expect(await view('status')).toMatchObject({
    code: 0,
    out: '',
    err: containing('there is no MatrixHomeserver'),
  });
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  const one = await view('status', 'chat');
  expect(one).toMatchObject({ code: 0, err: '' });
  for (const part of [`${namespace}/chat  ${namespace}.example`, 'k1  ed25519:', 'Ready', 'Serving', 'Next steps']) {
    expect(one.out).toContain(part);
  }
  expect((await view('status')).out).toMatch(/^NAME\s+SERVER NAME.*\nchat\s.*\sTrue\s+Serving\s/);
  const scripts: unknown = JSON.parse((await view('status', 'chat', '-o', 'json')).out);
  expect(scripts).toMatchObject({ name: 'chat', status: { version: { current: '0.1.0' } } });

  const look = (colours: boolean) =>
    kubectlMatrix(['status', 'chat', '-n', namespace], { kubeconfig: stage.api.kubeconfigPath, colours });
  expect((await look(true)).out).toContain('\u001b[32mServing\u001b[0m');
  expect((await look(false)).out).not.toContain('\u001b');

  await applyHomeserver(stage, namespace, {
    database: { server: { host: 'x', adminSecretRef: { name: 'gone' } }, tls: { mode: 'Disable' } },
  });
  await waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason: 'SecretMissing' });
  const { out } = await view('status', 'chat');
  expect(out).toMatch(/SecretsReady\s+False\s+SecretMissing\s+.*gone/);
  expect(out).toContain('SecretMissing: Create it.');
});

test('what may not be read, is not there or makes no sense is said in words, with an exit code', async () => {
  const namespace = await stage.namespace();
  const view = await viewer(namespace);
  const all = await view('status', '-A');
  expect(all).toMatchObject({ code: 1, out: '' });
  expect(all.err).toMatch(/403 .*forbidden[\s\S]*docs\/kubectl-plugin\.md/);
  expect(await view('plan', 'nobody')).toMatchObject({
    code: 1,
    err: containing(`no MatrixHomeserver nobody in namespace ${namespace}`),
  });
  expect((await view('status', 'chat', '--namespace', 'kube-system')).code).toBe(1);
  expect(await view('plan')).toMatchObject({ code: 2, err: containing('name one resource') });
  expect(await view('plan', 'chat', '-o', 'yaml')).toMatchObject({
    code: 2,
    err: containing('only json'),
  });
  expect(await view('plan', 'chat', '--approve')).toMatchObject({ code: 2, err: containing('--approve') });
  expect((await view('explode')).code).toBe(2);
  expect((await view('rotate-key', '--help')).out).toContain('--compromised-at');
});

test('a plan is read, its approval printed for Git, and applied only when told', async () => {
  const namespace = await stage.namespace();
  const [view, edit] = [await viewer(namespace), await editor(namespace)];
  const upgrade = { approval: 'Required' };
  await applyHomeserver(stage, namespace, { version: '0.1.0', upgrade });
  await waitReady(stage, namespace);
  expect((await view('approve', 'chat')).err).toMatch(/no plan of .* waits for an approval/);

  await applyHomeserver(stage, namespace, { version: '0.2.0', upgrade });
  const waits = await waitCondition(stage, namespace, { type: 'Ready', status: 'False', reason: 'AwaitingApproval' });
  const id = waits.status.upgrade?.plan?.id ?? '';
  const plan = await view('plan', 'chat');
  expect(plan.out).toContain(`plan ${id}`);
  expect(plan.out).toMatch(/Upgrade\s+0\.1\.0 -> 0\.2\.0/);
  expect(plan.out).toMatch(/Contracting\s+no way back\s+9002-less/);
  expect((await view('status')).out).toContain('kubectl matrix plan');

  const printed = await view('approve', 'chat');
  expect(parse(printed.out)).toEqual({ spec: { upgrade: { approvedPlan: id } } });
  expect(printed.err).toContain('Nothing is changed yet');
  expect((await readHomeserver(stage, namespace)).spec.upgrade.approvedPlan).toBeUndefined();
  expect(await view('approve', 'chat', '--plan', '0123456789ab')).toMatchObject({
    code: 1,
    out: '',
    err: containing(id),
  });
  expect(await view('approve', 'chat', '--apply')).toMatchObject({
    code: 1,
    err: containing('forbidden'),
  });

  expect(await edit('approve', 'chat', '--plan', id, '--apply')).toMatchObject({
    code: 0,
    err: containing('Applied'),
  });
  await waitFor(async () => (await readHomeserver(stage, namespace)).status.version?.current === '0.2.0', {
    what: 'the approved version to serve',
  });
});

test('a change of something that has changed in between is refused as a whole', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace);
  const late = changeSpec(
    { client: stage.client, namespace, kubeconfig: undefined, context: undefined },
    { ...SILENT },
    {
      name: 'chat',
      patch: { spec: {} },
      operations: [
        { op: 'test', path: '/spec/signingKeys/keys', value: [{ name: 'k1', state: 'Staged' }] },
        { op: 'replace', path: '/spec/signingKeys/keys', value: [] },
      ],
      why: [],
    },
    { apply: true, asJson: false, again: '' },
  );
  await expect(late).rejects.toThrow(`${namespace}/chat has changed in between`);
});

const SILENT = {
  write: () => undefined,
  tell: () => undefined,
  colours: false,
  readInput: () => Promise.resolve(''),
  kubeconfig: undefined,
  now: Date.now,
  interrupted: new AbortController().signal,
};

test('a key is rotated step by step, and a stolen one replaced', async () => {
  const namespace = await stage.namespace();
  const edit = await editor(namespace);
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  const printed = await edit('rotate-key', 'chat');
  expect(parse(printed.out)).toEqual({
    spec: {
      signingKeys: {
        keys: [
          { name: 'k1', state: 'Active' },
          { name: 'k2', state: 'Staged' },
        ],
      },
    },
  });
  expect((await readHomeserver(stage, namespace)).spec.signingKeys.keys).toHaveLength(1);
  const states = async () =>
    (await readHomeserver(stage, namespace)).status.signingKeys
      ?.map(({ name, state }) => `${name} ${state}`)
      .join(', ');
  const reach = (wanted: string) => waitFor(async () => (await states()) === wanted, { what: wanted });

  expect((await edit('rotate-key', 'chat', '--apply')).code).toBe(0);
  await reach('k1 Active, k2 Staged');
  expect((await edit('rotate-key', 'chat', '--apply')).err).toContain('k2 is shown to other servers');
  await reach('k1 Active, k2 Published');
  expect((await edit('rotate-key', 'chat', '--apply')).err).toContain('then k1 expires');
  await reach('k1 Retiring, k2 Active');
  // The old key's last minute is not over: nothing may be changed before.
  expect(await edit('rotate-key', 'chat')).toMatchObject({ code: 0, out: '', err: containing('k1') });
  const stolen = ['rotate-key', 'chat', '--revoke', 'k2'];
  expect(await edit(...stolen)).toMatchObject({ code: 2, err: containing('--compromised-at') });
  expect((await edit(...stolen, '--compromised-at', '2999-01-01T00:00:00Z')).err).toContain('has not come yet');
  expect((await edit(...stolen, '--compromised-at', 'now', '--apply')).code).toBe(0);
  await waitFor(async () => (await states())?.endsWith('k2 Revoked, k3 Active'), {
    what: 'k3 to sign',
  });
});

test('a Job that verifies is made with the rights of the page, and one that writes no report is said to have none', async () => {
  const namespace = await stage.namespace();
  const [view, operate] = [
    await viewer(namespace),
    await personWith(namespace, ['matrix-plugin-view', 'matrix-plugin-operate']),
  ];
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  expect(await view('verify', 'chat')).toMatchObject({ code: 1, err: containing('forbidden') });
  // Here the program runs without a pod, so without a log.
  const verified = await operate('verify', 'chat', '--sample', '10');
  expect(verified).toMatchObject({ code: 1, out: '', err: containing('the Job gave no report') });
  expect(stage.actors.jobsRun.some((job) => job.startsWith('chat-verify-'))).toBe(true);
  expect(await operate('create-user', 'chat', 'alice')).toMatchObject({
    code: 1,
    err: containing('no replica that is ready'),
  });
  expect(await operate('logs', 'chat')).toMatchObject({ code: 1, err: containing('no replica that has begun') });
  expect(await operate('backup', 'chat')).toMatchObject({ code: 1, err: containing('set spec.backup') });
});

test('restore prints a manifest that the API server takes; what needs backups says what is missing', async () => {
  const namespace = await stage.namespace();
  const view = await viewer(namespace);
  await applyHomeserver(stage, namespace);
  expect((await view('restore', 'chat')).err).toContain('spec.backup is not set');
  expect(await view('backup', 'chat')).toMatchObject({ code: 1, err: containing('forbidden') });
  const s3 = { bucket: 'backups', region: 'eu', credentialsSecretRef: { name: 'backup-s3' } };
  await applyHomeserver(stage, namespace, { backup: { schedule: '@daily', s3 } });
  const { code, out, err } = await view('restore', 'chat', '--as', 'again');
  expect(code).toBe(0);
  expect(err).toContain(`kubectl -n ${namespace} delete matrixhomeserver chat`);
  expect(err).toContain('backup-s3, pg-admin');
  const manifest = z
    .looseObject({
      apiVersion: z.string(),
      kind: z.string(),
      metadata: z.looseObject({ name: z.string(), namespace: z.string() }),
      spec: z.looseObject({ bootstrap: z.unknown() }),
    })
    .parse(parse(out));
  expect(manifest.spec.bootstrap).toEqual({ restore: { s3: { ...s3, forcePathStyle: false }, backupID: 'latest' } });
  const made = await stage.client.apply(KINDS.homeserver, manifest, 'user');
  expect(made.metadata.name).toBe('again');
});

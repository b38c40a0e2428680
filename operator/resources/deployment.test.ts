import { expect, test } from 'vitest';
import * as z from 'zod';
import { canonicalQuantity } from './canonical-quantity.ts';
import type { DeploymentInput } from './deployment.ts';
import { deployment } from './deployment.ts';
import { upgradeJob } from './upgrade-job.ts';

const input: DeploymentInput = {
  owner: { name: 'chat', namespace: 'ns', uid: 'uid' },
  replicas: 3,
  image: { reference: 'image:1', pullPolicy: 'IfNotPresent', pullSecrets: [] },
  files: {
    configMap: 'chat-config-1',
    databaseSecret: 'chat-db',
    appSecret: 'chat-app',
    keyringSecret: 'chat-keyring',
  },
  pod: undefined,
  version: '1.0.0',
  keyringRestart: 0,
  minReadySeconds: 0,
  deadlineSeconds: 600,
  secretsChecksum: 'sum',
};

const Pod = z.looseObject({
  automountServiceAccountToken: z.boolean(),
  securityContext: z.unknown(),
  containers: z.array(
    z.looseObject({ securityContext: z.unknown(), args: z.array(z.string()), resources: z.unknown() }),
  ),
  volumes: z.array(z.looseObject({ name: z.string() })),
});
const Workload = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({ metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }), spec: Pod }),
  }),
});

const expected = { version: '1.0.0', schemaLevel: 1, compatLevel: 1, migrations: ['expand 0001-ops.sql'] };
const jobInput = { ...input, plan: '0123456789ab', inputsDigest: 'digest', kind: 'migrate', expected } as const;
const preflight = { ...jobInput, kind: 'preflight' } as const;
const verify = { ...jobInput, kind: 'verify' } as const;

test('the same input gives the same bytes', () => {
  expect(JSON.stringify(deployment(input))).toBe(JSON.stringify(deployment({ ...input })));
  expect(JSON.stringify(upgradeJob(jobInput))).toBe(JSON.stringify(upgradeJob({ ...jobInput })));
});

test.for([
  { name: 'replicas', manifest: deployment(input) },
  { name: 'migrations', manifest: upgradeJob(jobInput) },
  { name: 'the preflight', manifest: upgradeJob(preflight) },
  { name: 'the look at the database', manifest: upgradeJob(verify) },
])('pods of $name keep to the restricted Pod Security standard and get no token', ({ manifest }) => {
  const { spec } = Workload.parse(manifest).spec.template;
  expect(spec.automountServiceAccountToken).toBe(false);
  expect(spec.securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  expect(spec.containers[0]?.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    readOnlyRootFilesystem: true,
  });
});

test('the look at the database has an end, however large it is; migrations take as long as they need', () => {
  expect(upgradeJob(verify)['spec']).toMatchObject({ activeDeadlineSeconds: 600 });
  const [container] = Workload.parse(upgradeJob(verify)).spec.template.spec.containers;
  expect(container?.args.slice(1)).toEqual(['verify', '--json', '--partial', '--time-limit-seconds', '60']);
  expect(JSON.stringify(upgradeJob(jobInput))).not.toContain('activeDeadlineSeconds');
});

test('a preflight looks at the configuration alone: volumes and Secrets of serving pods are not mounted in it', () => {
  const files = { ...input.files, mediaClaim: 'chat-media', turnSecret: { secret: 'turn', key: 'secret' } };
  const text = JSON.stringify(upgradeJob({ ...preflight, files: { ...files, mediaCredentials: 'media-s3' } }));
  expect(text).toContain('"args":["/app/homeserver.mjs","check-config","--file-only"]');
  expect(text).not.toMatch(/media|turn/);
});

test('labels of the spec never replace those that the selector needs', () => {
  const pod = {
    labels: { 'matrix-operator.dev/homeserver': 'other', 'app.kubernetes.io/component': 'x', team: 'chat' },
  };
  const { labels } = Workload.parse(deployment({ ...input, pod })).spec.template.metadata;
  expect(labels).toMatchObject({
    team: 'chat',
    'matrix-operator.dev/homeserver': 'chat',
    'app.kubernetes.io/component': 'homeserver',
  });
});

test('resources of the spec replace ours as a whole, in canonical form', () => {
  const pod = { resources: { limits: { memory: '2048Mi' } } };
  const [container] = Workload.parse(deployment({ ...input, pod })).spec.template.spec.containers;
  expect(container?.resources).toEqual({ limits: { memory: canonicalQuantity('2Gi') } });
});

test('replicas of the first release keep the probe they were made with; others are known to fail within 4 s', () => {
  const readiness = (version: string) => {
    const [container] = Workload.parse(deployment({ ...input, version })).spec.template.spec.containers;
    return container?.['readinessProbe'];
  };
  const path = { httpGet: { path: '/readyz', port: 'http' } };
  expect(readiness('0.1.0')).toEqual({ ...path, timeoutSeconds: 5, periodSeconds: 2, failureThreshold: 3 });
  expect(readiness('0.2.0')).toEqual({ ...path, timeoutSeconds: 2, periodSeconds: 1, failureThreshold: 3 });
});

test('an authority for TLS is mounted as ca.crt beside the login', () => {
  const files = { ...input.files, authority: { secret: 'pg-ca', key: 'root.pem' } };
  const { volumes } = Workload.parse(deployment({ ...input, files })).spec.template.spec;
  expect(JSON.stringify(volumes.find(({ name }) => name === 'db'))).toContain(
    '{"secret":{"name":"pg-ca","items":[{"key":"root.pem","path":"ca.crt"}]}}',
  );
});

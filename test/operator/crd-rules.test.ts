import { afterAll, beforeAll, expect, test } from 'vitest';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { KubeError } from '../../operator/runtime/kube-error.ts';
import type { Manifest } from '../../operator/runtime/kube-object.ts';
import { MEDIA_CASES, type RuleCase } from './support/media-rule-cases.ts';
import type { Stage } from './support/stage.ts';
import { homeserverManifest, openStage } from './support/stage.ts';
import { TURN_CASES } from './support/turn-rule-cases.ts';

let stage: Stage;
let namespace: string;
beforeAll(async () => {
  stage = await openStage();
  namespace = await stage.namespace();
});
afterAll(() => stage.dispose());

const server = { host: 'db', adminSecretRef: { name: 'admin' } };
const serverRef = { name: 'shared' };
const existing = { secretRef: { name: 'theirs' } };

const CASES: RuleCase[] = [
  { name: 'a host name is a server name', spec: { serverName: 'example.org' } },
  { name: 'a host name with a port is a server name', spec: { serverName: 'example.org:8448' } },
  { name: 'an IPv6 address in brackets is a server name', spec: { serverName: '[2001:db8::1]:8448' } },
  {
    name: 'an upper-case server name is refused with what is allowed',
    spec: { serverName: 'Example.org' },
    refused: 'lower-case host name',
  },
  {
    name: 'a server name with an underscore is refused',
    spec: { serverName: 'my_server' },
    refused: 'lower-case host name',
  },
  { name: 'an empty server name is refused', spec: { serverName: '' }, refused: 'serverName' },
  { name: 'a server name of 231 characters is refused', spec: { serverName: 'a'.repeat(231) }, refused: '230' },
  {
    name: 'a changed server name is refused',
    before: { serverName: 'a.example' },
    spec: { serverName: 'b.example' },
    refused: 'serverName cannot be changed',
  },
  {
    name: 'a look through notaries needs one',
    spec: { federation: { selfCheck: 'Notary' } },
    refused: 'federation.notaries',
  },
  {
    name: 'a look through notaries with one is accepted',
    spec: { federation: { selfCheck: 'Notary', notaries: ['matrix.org'] } },
  },
  { name: 'replicas -1 is refused', spec: { replicas: -1 }, refused: 'greater than or equal to 0' },
  { name: 'replicas 0 is accepted', spec: { replicas: 0 } },
  { name: 'replicas 101 is refused', spec: { replicas: 101 }, refused: 'less than or equal to 100' },
  { name: 'a version must be semver', spec: { version: 'latest' }, refused: 'version' },
  { name: 'a backup needs a bucket', spec: { backup: { schedule: '@daily' } }, refused: 's3' },
  {
    name: 'a backup by schedule to a bucket is accepted',
    spec: { backup: { schedule: '@daily', s3: { bucket: 'backups' } } },
  },
  {
    name: 'a restore drill needs a server on which a spare database can be made',
    spec: {
      backup: { schedule: '@daily', s3: { bucket: 'backups' }, drillSchedule: '@weekly' },
      database: { existing: { secretRef: { name: 'db' } } },
    },
    refused: 'backup.drillSchedule needs a spare database',
  },
  {
    name: 'a restore drill on a server of the operator is accepted',
    spec: {
      backup: { schedule: '@daily', s3: { bucket: 'backups' }, drillSchedule: '@weekly', preUpgrade: 'Disabled' },
    },
  },
  { name: 'a bootstrap from nothing is refused', spec: { bootstrap: {} }, refused: 'must name a source' },
  {
    name: 'a bootstrap from a backup is accepted',
    spec: { bootstrap: { restore: { s3: { bucket: 'backups' } } } },
  },
  {
    name: 'a backup id that is none is refused',
    spec: { bootstrap: { restore: { s3: { bucket: 'backups' }, backupID: 'yesterday' } } },
    refused: 'backupID',
  },
  {
    name: 'a changed bootstrap is refused',
    before: { bootstrap: { restore: { s3: { bucket: 'backups' } } } },
    spec: { bootstrap: { restore: { s3: { bucket: 'others' } } } },
    refused: 'bootstrap cannot be changed',
  },
  {
    name: 'a bootstrap that comes later is refused',
    before: {},
    spec: { bootstrap: { restore: { s3: { bucket: 'backups' } } } },
    refused: 'only when the resource is created',
  },
  { name: 'approval Automatic without a version is accepted', spec: { upgrade: { approval: 'Automatic' } } },
  {
    name: 'approval Automatic with a version is refused with the way out',
    spec: { version: '0.1.0', upgrade: { approval: 'Automatic' } },
    refused: 'leave spec.version out',
  },
  {
    name: 'an approved plan that is no plan id is refused',
    spec: { upgrade: { approval: 'Required', approvedPlan: 'yes' } },
    refused: 'upgrade.approvedPlan',
  },
  {
    name: 'a soak of more than 30 days is refused',
    spec: { upgrade: { contractAfterSeconds: 2_592_001 } },
    refused: '2592000',
  },
  { name: 'neither server nor existing is refused', spec: { database: {} }, refused: 'exactly one of' },
  { name: 'both server and existing are refused', spec: { database: { server, existing } }, refused: 'exactly one of' },
  {
    name: 'both serverRef and server are refused',
    spec: { database: { server, serverRef } },
    refused: 'exactly one of',
  },
  { name: 'serverRef alone is accepted', spec: { database: { serverRef } } },
  {
    name: 'a serverRef that no label can hold is refused',
    spec: { database: { serverRef: { name: 'a,b in (c)' } } },
    refused: 'serverRef.name',
  },
  {
    name: 'database.name with serverRef is refused',
    spec: { database: { serverRef, name: 'theirs' } },
    refused: 'only for database.server',
  },
  {
    name: 'database.tls with serverRef is refused',
    spec: { database: { serverRef, tls: { mode: 'Disable' } } },
    refused: 'database.tls is not for database.serverRef',
  },
  {
    name: 'a smaller passwordVersion is refused',
    before: { database: { server, passwordVersion: 2 } },
    spec: { database: { server, passwordVersion: 1 } },
    refused: 'passwordVersion only grows',
  },
  {
    name: 'a larger passwordVersion is accepted',
    before: { database: { server, passwordVersion: 2 } },
    spec: { database: { server, passwordVersion: 3 } },
  },
  {
    name: 'passwordVersion with existing is refused',
    spec: { database: { existing, passwordVersion: 2 } },
    refused: 'passwordVersion is not for database.existing',
  },
  {
    name: 'Delete without a confirmation is refused',
    spec: { serverName: 'a.example', deletion: { policy: 'Delete' } },
    refused: 'needs deletion.confirm equal to serverName',
  },
  {
    name: 'Delete that confirms another name is refused',
    spec: { serverName: 'a.example', deletion: { policy: 'Delete', confirm: 'b.example' } },
    refused: 'needs deletion.confirm equal to serverName',
  },
  {
    name: 'Delete that confirms the server name is accepted',
    spec: { serverName: 'a.example', deletion: { policy: 'Delete', confirm: 'a.example' } },
  },
  { name: 'existing alone is accepted', spec: { database: { existing } } },
  {
    name: 'database.name with existing is refused',
    spec: { database: { existing, name: 'x' } },
    refused: 'only for database.server',
  },
  { name: 'database.name with server is accepted', spec: { database: { server, name: 'chat' } } },
  {
    name: 'the name of a system database is refused',
    spec: { database: { server, name: 'postgres' } },
    refused: 'belong to the server',
  },
  {
    name: 'a changed database.name is refused',
    before: { database: { server, name: 'one' } },
    spec: { database: { server, name: 'two' } },
    refused: 'database.name cannot be changed',
  },
  {
    name: 'a database.name that appears later is refused',
    before: { database: { server } },
    spec: { database: { server, name: 'two' } },
    refused: 'database.name cannot be changed',
  },
  {
    name: 'VerifyCA without an authority is refused',
    spec: { database: { server, tls: { mode: 'VerifyCA' } } },
    refused: 'needs tls.caSecretRef',
  },
  {
    name: 'VerifyCA with an authority is accepted',
    spec: { database: { server, tls: { mode: 'VerifyCA', caSecretRef: { name: 'ca', key: 'ca.crt' } } } },
  },
  {
    name: 'an unknown TLS mode is refused',
    spec: { database: { server, tls: { mode: 'prefer' } } },
    refused: 'Unsupported value',
  },
  {
    name: 'an unknown adoptPolicy is refused',
    spec: { database: { server, adoptPolicy: 'All' } },
    refused: 'Unsupported value',
  },
  {
    name: 'validitySeconds below two hours is refused',
    spec: { signingKeys: { validitySeconds: 60 } },
    refused: '7200',
  },
  { name: 'a digest that is none is refused', spec: { image: { digest: 'sha256:1' } }, refused: 'digest' },
  { name: 'deletion policy Retain is accepted', spec: { deletion: { policy: 'Retain' } } },
  {
    name: 'a deletion policy that does not exist is refused',
    spec: { deletion: { policy: 'Shred' } },
    refused: 'Unsupported value',
  },
  { name: 'autoscaling without maxReplicas is refused', spec: { autoscaling: {} }, refused: 'maxReplicas' },
  {
    name: 'fewest replicas above most is refused',
    spec: { autoscaling: { minReplicas: 5, maxReplicas: 3 } },
    refused: 'may not be more than maxReplicas',
  },
  ...MEDIA_CASES,
  ...TURN_CASES,
  { name: 'Element Web without a host is refused', spec: { integrations: { elementWeb: {} } }, refused: 'host' },
  { name: 'an unknown networkPolicy.mode is refused', spec: { networkPolicy: { mode: 'On' } }, refused: 'Unsupported' },
  {
    name: 'ingress and gateway together are refused',
    spec: { exposure: { ingress: {}, gateway: { parentRefs: [{ name: 'public' }] } } },
    refused: 'at most one of exposure.ingress and exposure.gateway',
  },
  { name: 'a gateway without parentRefs is refused', spec: { exposure: { gateway: {} } }, refused: 'parentRefs' },
  { name: 'neither ingress nor gateway is accepted', spec: { exposure: {} } },
  {
    name: 'an address needs a host to be exposed',
    spec: { serverName: '192.0.2.1', exposure: { ingress: {} } },
    refused: 'exposure.host is needed',
  },
  {
    name: 'a server name with a port needs a host to be exposed',
    spec: { serverName: 'example.org:8448', exposure: { ingress: {} } },
    refused: 'exposure.host is needed',
  },
  {
    name: 'a server name with a port is exposed at a host',
    spec: { serverName: 'example.org:8448', exposure: { host: 'matrix.example.org', ingress: {} } },
  },
  { name: 'a host with a port is refused', spec: { exposure: { host: 'example.org:443' } }, refused: 'exposure.host' },
  { name: 'free settings are kept as they are', spec: { config: { rooms: { defaultVersion: '11' } } } },
];

let counter = 0;

function manifest(spec: object): Manifest {
  const base = homeserverManifest(stage, namespace);
  const { spec: baseSpec } = base;
  return {
    ...base,
    metadata: { ...base.metadata, name: `case-${counter}` },
    spec: { ...(typeof baseSpec === 'object' ? baseSpec : {}), serverName: 'x.example', database: { server }, ...spec },
  };
}

/** What the API server says: an empty text when it accepts. PUT, so that fields the new spec lacks are gone. */
async function submit({ before, spec }: RuleCase): Promise<string> {
  counter += 1;
  try {
    if (before === undefined) {
      await stage.client.create(KINDS.homeserver, manifest(spec), 'user');
      return '';
    }
    const created = await stage.client.create(KINDS.homeserver, manifest(before), 'user');
    await stage.client.replace(KINDS.homeserver, { ...created, ...{ spec: manifest(spec)['spec'] } }, 'user');
    return '';
  } catch (error) {
    if (error instanceof KubeError && error.status === 422) return error.message;
    throw error;
  }
}

test.for(CASES)('$name', async (one) => {
  const answer = await submit(one);
  if (one.refused === undefined) expect(answer).toBe('');
  else expect(answer).toContain(one.refused);
});

test('a resource name of 41 characters, or one that no Service may have, is refused', async () => {
  const named = (name: string) => ({ ...manifest({}), metadata: { namespace, name } });
  const refusal = (name: string) =>
    stage.client.create(KINDS.homeserver, named(name), 'user').then(
      () => '',
      (error: unknown) => String(error),
    );
  expect(await refusal('a'.repeat(40))).toBe('');
  expect(await refusal('a'.repeat(41))).toContain('at most 40 characters');
  expect(await refusal('1chat')).toContain('must start with a letter');
  expect(await refusal('my.chat')).toContain('hold only a-z');
});

test('a new resource is InProgress for tools before the operator has seen it, and has all defaults', async () => {
  counter += 1;
  const created = await stage.client.create(KINDS.homeserver, manifest({}), 'user');
  expect(created).toMatchObject({
    spec: {
      replicas: 1,
      paused: false,
      database: { tls: { mode: 'VerifyFull' }, adoptPolicy: 'None', poolSize: 10, server: { port: 5432 } },
      signingKeys: { validitySeconds: 86_400, keys: [{ name: 'k1', state: 'Active' }] },
    },
    status: { observedGeneration: -1, conditions: [{ type: 'Ready', status: 'Unknown', reason: 'Pending' }] },
  });
});

test('the scale subresource shows the replicas that kubectl scale and an autoscaler work with', async () => {
  counter += 1;
  const created = await stage.client.create(KINDS.homeserver, manifest({ replicas: 3 }), 'user');
  const collection = `/apis/matrix-operator.dev/v1alpha1/namespaces/${namespace}/matrixhomeservers`;
  expect(await stage.client.getRaw(`${collection}/${created.metadata.name}/scale`)).toMatchObject({
    kind: 'Scale',
    spec: { replicas: 3 },
  });
});

import { expect, test } from 'vitest';
import type { KubeObject, Manifest } from './kube-object.ts';
import { desiredDigest, ownedDigest } from './owned-fields.ts';

const manifest: Manifest = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'a', namespace: 'ns', labels: { app: 'a' } },
  spec: {
    template: {
      spec: { containers: [{ name: 'main', image: 'i', args: ['x', 'y'] }], volumes: [{ name: 'v', emptyDir: {} }] },
    },
  },
};
const fields = {
  'f:metadata': { 'f:labels': { 'f:app': {} } },
  'f:spec': {
    'f:template': {
      'f:spec': {
        'f:containers': { 'k:{"name":"main"}': { '.': {}, 'f:args': {}, 'f:image': {}, 'f:name': {} } },
        'f:volumes': { 'k:{"name":"v"}': { '.': {}, 'f:emptyDir': {}, 'f:name': {} } },
      },
    },
  },
};
type Change = (object: KubeObject & { spec: { template: { spec: PodSpec } } }) => void;
interface PodSpec {
  containers: { name: string; image?: string; args?: string[] }[];
  volumes: { name: string; emptyDir?: object }[];
  restartPolicy?: string;
}

/** The object as the API server would give it: with defaults, status, and fields of others. */
function stored(change: Change = () => undefined, entry: object = { manager: 'me', operation: 'Apply' }): KubeObject {
  const podSpec: PodSpec = {
    containers: [
      { name: 'theirs', image: 't' },
      { name: 'main', image: 'i', args: ['x', 'y'], ...{ imagePullPolicy: 'Always' } },
    ],
    volumes: [{ name: 'v', emptyDir: {} }],
    restartPolicy: 'Always',
  };
  const object = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'a',
      namespace: 'ns',
      uid: 'u',
      resourceVersion: '1',
      labels: { app: 'a', theirs: 'x' },
      managedFields: [
        { ...entry, fieldsV1: fields },
        { manager: 'other', fieldsV1: { 'f:spec': { 'f:replicas': {} } } },
      ],
    },
    spec: { replicas: 3, template: { spec: podSpec } },
    status: { replicas: 3 },
  };
  change(object);
  return object;
}

test('defaults, status and fields of others do not count', () => {
  expect(ownedDigest(stored(), 'me')).toBe(desiredDigest(manifest));
});

test.for<{ name: string; change: Change }>([
  {
    name: 'another image',
    change: ({ spec }) => (spec.template.spec.containers[1] = { name: 'main', image: 'other', args: ['x', 'y'] }),
  },
  {
    name: 'another order of arguments',
    change: ({ spec }) => (spec.template.spec.containers[1] = { name: 'main', image: 'i', args: ['y', 'x'] }),
  },
  { name: 'a container that is gone', change: ({ spec }) => spec.template.spec.containers.pop() },
  { name: 'a volume of another kind', change: ({ spec }) => (spec.template.spec.volumes = [{ name: 'v' }]) },
  { name: 'a label that is gone', change: ({ metadata }) => (metadata.labels = {}) },
])('$name counts', ({ change }) => {
  expect(ownedDigest(stored(change), 'me')).not.toBe(desiredDigest(manifest));
});

test('a manager without an entry owns nothing, and an entry for status does not count', () => {
  expect(ownedDigest(stored(), 'nobody')).toBeUndefined();
  expect(ownedDigest(stored(undefined, { manager: 'me', subresource: 'status' }), 'me')).toBeUndefined();
});

test('the order of keys and undefined members make no difference, values do', () => {
  const a = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: { a: '1', b: '2' } };
  const b = {
    kind: 'ConfigMap',
    data: { b: '2', c: undefined, a: '1' },
    metadata: { name: 'y', labels: {} },
    apiVersion: 'v1',
  };
  expect(desiredDigest(a)).toBe(desiredDigest(b));
  expect(desiredDigest(a)).not.toBe(desiredDigest({ ...a, data: { a: '1' } }));
});

test('entries of several API versions of one manager are taken together', () => {
  const [one, two] = [{ 'f:data': { 'f:a': {} } }, { 'f:data': { 'f:b': {} } }];
  const managedFields = [one, two].map((fieldsV1) => ({ manager: 'me', operation: 'Apply', fieldsV1 }));
  const object = {
    metadata: { name: 'x', uid: 'u', resourceVersion: '1', managedFields },
    data: { a: '1', b: '2', c: '3' },
  };
  const wanted = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: { a: '1', b: '2' } };
  expect(ownedDigest(object, 'me')).toBe(desiredDigest(wanted));
});

test('sets and lists by position are followed', () => {
  const fieldsV1 = { 'f:metadata': { 'f:finalizers': { 'v:"mine"': {} } }, 'f:rows': { 'i:1': {} } };
  const metadata = {
    name: 'x',
    uid: 'u',
    resourceVersion: '1',
    finalizers: ['theirs', 'mine'],
    managedFields: [{ manager: 'me', fieldsV1 }],
  };
  const wanted = { apiVersion: 'v1', kind: 'K', metadata: { name: 'x', finalizers: ['mine'] }, rows: ['b'] };
  expect(ownedDigest({ metadata, rows: ['a', 'b'] }, 'me')).toBe(desiredDigest(wanted));
});

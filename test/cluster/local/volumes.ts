import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ApiAccess, createObject } from '../api-request.ts';
import type { Instance } from './instance.ts';

const VOLUMES = 12;

/** Makes a default StorageClass with twelve volumes of 10 GiB in the instance's folder: enough for claims in tests. */
export async function createVolumes(instance: Instance, access: ApiAccess): Promise<void> {
  const numbers = Array.from({ length: VOLUMES }, (_, index) => index + 1);
  await Promise.all([
    createObject(access, '/apis/storage.k8s.io/v1/storageclasses', storageClass),
    ...numbers.map((number) => createVolume(instance, access, number)),
  ]);
}

async function createVolume(instance: Instance, access: ApiAccess, number: number): Promise<void> {
  const path = join(instance.dir, 'volumes', String(number));
  await mkdir(path, { recursive: true });
  await chmod(path, 0o777); // pods run under many users, and a claim may come without fsGroup
  await createObject(access, '/api/v1/persistentvolumes', persistentVolume(number, path, instance.nodeName));
}

const storageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'kubernetes.io/no-provisioner',
  volumeBindingMode: 'WaitForFirstConsumer',
};

function persistentVolume(number: number, path: string, nodeName: string): object {
  const onNode = { key: 'kubernetes.io/hostname', operator: 'In', values: [nodeName] };
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `local-${number}` },
    spec: {
      capacity: { storage: '10Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: 'standard',
      local: { path },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [onNode] }] } },
    },
  };
}

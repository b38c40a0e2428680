import { kubectl } from '../../cluster/clients.ts';
import type { ClusterHandle } from '../../cluster/cluster.ts';
import { chooseProvider } from '../../cluster/choose-provider.ts';
import { s3Image } from '../../cluster/images/s3-image.ts';
import { apply } from './quickstart.ts';

const ACCESS = { accessKeyId: 'test-access', secretAccessKey: 'test-secret-that-is-long-enough' };
const BUCKET = 'example-backup';
const REGION = 'eu-central-1';
const PORT = 7070;

/** The bucket as `spec.backup.s3` names it, with credentials in the Secret `backup-s3` (below) of the same namespace. */
export const S3 = (namespace: string) => ({
  bucket: BUCKET,
  region: REGION,
  endpoint: `http://s3.${namespace}.svc:${PORT}`,
  forcePathStyle: true,
  credentialsSecretRef: { name: 'backup-s3' },
});

/** The credentials of the bucket. */
export const S3_SECRET = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'backup-s3' }, stringData: ACCESS };

/** Runs an S3 server with one empty bucket as a pod of the namespace. */
export async function startS3(handle: ClusterHandle, namespace: string): Promise<void> {
  const { provider, contextName: context, instance } = handle;
  const { archive, reference } = await s3Image();
  await (await chooseProvider({ provider, context, instance })).loadImage(archive, reference);
  const items = [deployment(reference), service()];
  await apply(handle, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), namespace);
  await kubectl(handle, ['rollout', 'status', 'deployment/s3', '--namespace', namespace, '--timeout=60s']);
}

const labels = { app: 's3' };

/** A folder is a bucket: the kubelet makes it for the second mount. */
function deployment(image: string): object {
  const { accessKeyId, secretAccessKey } = ACCESS;
  const access = ['--access', accessKeyId, '--secret', secretAccessKey];
  const container = {
    name: 's3',
    image,
    imagePullPolicy: 'IfNotPresent',
    args: [...access, '--port', `:${PORT}`, '--region', REGION, 'posix', '/data'],
    ports: [{ containerPort: PORT }],
    readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 1 },
    volumeMounts: [
      { name: 'data', mountPath: '/data' },
      { name: 'data', mountPath: '/bucket', subPath: BUCKET },
    ],
  };
  const spec = { containers: [container], volumes: [{ name: 'data', emptyDir: {} }] };
  const template = { metadata: { labels }, spec };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 's3' },
    spec: { selector: { matchLabels: labels }, template },
  };
}

function service(): object {
  const spec = { selector: labels, ports: [{ port: PORT }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 's3' }, spec };
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Access } from './access.ts';

/** Where Kubernetes mounts the credentials of a pod's service account. */
const MOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The way from a pod to its API server: address from the environment, authority and token from the mounted files. */
export async function serviceAccountAccess(mount: string = MOUNT): Promise<Access> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  if (host === undefined || port === undefined) {
    throw new Error('this is no pod of a cluster: name a kubeconfig with --kubeconfig or $KUBECONFIG');
  }
  const [token, ca] = await Promise.all([readFile(join(mount, 'token'), 'utf8'), readFile(join(mount, 'ca.crt'))]);
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return { server, headers: { Authorization: `Bearer ${token.trim()}` }, tls: { ca } };
}

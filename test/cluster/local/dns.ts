import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { type ApiAccess, createObject } from '../api-request.ts';
import { cachedPath } from '../binaries.ts';
import { pkiDir } from './control-plane.ts';
import type { Instance } from './instance.ts';
import { type Component, ensureRunning, type NodeContext } from './processes.ts';

const HEALTH_PORT = 8181;

/** Starts CoreDNS on the node's address, with just the rights it needs to see Services. */
export async function startDns(node: NodeContext, instance: Instance, access: ApiAccess): Promise<void> {
  await writeFile(join(instance.dir, 'Corefile'), corefile(instance));
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  await Promise.all([
    createObject(access, `${rbac}/clusterroles`, clusterRole),
    createObject(access, `${rbac}/clusterrolebindings`, clusterRoleBinding),
  ]);
  await ensureRunning(node, dnsComponent(instance));
}

export function dnsComponent(instance: Instance): Component {
  return { name: 'coredns', command: cachedPath('coredns'), args: ['-conf', join(instance.dir, 'Corefile')] };
}

/** Whether CoreDNS answers and has read the Services. */
export function isDnsReady(instance: Instance): Promise<boolean> {
  const options = { host: instance.nodeAddress, port: HEALTH_PORT, path: '/ready', agent: false, timeout: 2_000 };
  return new Promise((resolve, reject) => {
    const sent = request(options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent.once('timeout', () => sent.destroy(new Error('CoreDNS did not answer within 2 s')));
    sent.once('error', reject);
    sent.end();
  });
}

/** CoreDNS's settings: cluster names, and NXDOMAIN for any other, because nothing outside can be reached anyway. */
export function corefile(instance: Instance): string {
  return `cluster.local:53 in-addr.arpa:53 {
    bind ${instance.nodeAddress}
    errors
    ready ${instance.nodeAddress}:${HEALTH_PORT}
    kubernetes {
        kubeconfig ${join(pkiDir(instance), 'dns.kubeconfig')}
        pods insecure
        ttl 5
    }
}
.:53 {
    bind ${instance.nodeAddress}
    errors
    template ANY ANY {
        rcode NXDOMAIN
    }
}
`;
}

const name = 'matrix-operator-dns';

const clusterRole = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name },
  rules: [
    { apiGroups: [''], resources: ['services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  ],
};

const clusterRoleBinding = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name }],
};

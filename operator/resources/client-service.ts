import { PORTS } from '../../homeserver/contract/layout.ts';
import { ownedMetadata, podSelector } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';

/** Client and federation API and metrics inside the cluster, plain HTTP. */
export function clientService(owner: Owner): Manifest {
  const metadata = ownedMetadata(owner, childNames(owner.name).service);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...metadata, labels: { ...metadata.labels, ...podSelector(owner.name) } },
    spec: {
      type: 'ClusterIP',
      selector: podSelector(owner.name),
      ports: [
        { name: 'http', port: PORTS.http, targetPort: 'http', protocol: 'TCP' },
        { name: 'metrics', port: PORTS.metrics, targetPort: 'metrics', protocol: 'TCP' },
      ],
    },
  };
}

/** URL of the client API inside the cluster. */
export function clientUrl(owner: Owner): string {
  return `http://${childNames(owner.name).service}.${owner.namespace}.svc:${PORTS.http}`;
}

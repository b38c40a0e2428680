import type { MonitoringSpec } from '../api/network-spec.ts';
import { ownedMetadata, podSelector } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';

/** Tells the Prometheus operator where the metrics are; undefined when that is not wanted. */
export function serviceMonitor(owner: Owner, wanted: MonitoringSpec): Manifest | undefined {
  if (wanted.mode === 'Off') return undefined;
  const metadata = ownedMetadata(owner, childNames(owner.name).serviceMonitor);
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    metadata: { ...metadata, labels: { ...wanted.labels, ...metadata.labels } },
    spec: { selector: { matchLabels: podSelector(owner.name) }, endpoints: [{ port: 'metrics' }] },
  };
}

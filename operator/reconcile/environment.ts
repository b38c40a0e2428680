import type { FederationChecker } from '../federation-check/checker.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { ApiDiscovery } from '../runtime/api-discovery.ts';
import type { EventRecorder } from '../runtime/events.ts';
import type { KubeClient } from '../runtime/kube-client.ts';
import type { Catalogue } from '../upgrades/catalogue.ts';
import type { Caches } from './caches.ts';
import type { Deletions } from './deletions.ts';
import type { Drift } from './drift.ts';
import type { UpgradeTurns } from './upgrade-turns.ts';

/** How long things of an upgrade take; shorter in tests, never none. In seconds. */
export interface UpgradeTimes {
  /** A new pod has to be ready for so long before the next old one goes. */
  readonly minReadySeconds: number;
  /** A rollout without a new ready pod for so long has failed. */
  readonly rolloutSeconds: number;
  /** A version has to serve without a fault for so long. */
  readonly goodSeconds: number;
}

/** Settings of the process that reconciling depends on. */
export interface ReconcileSettings {
  /** Part of derived database names. */
  readonly clusterName: string;
  /** Image of the catalogue's default version: repository with tag or digest. */
  readonly homeserverImage: string;
  readonly operatorVersion: string;
  /** The versions of the homeserver that can be run. */
  readonly catalogue: Catalogue;
  readonly upgradeTimes: UpgradeTimes;
  /** Most automatic upgrades at a time. */
  readonly maxConcurrentUpgrades: number;
  /** Who the operator is to the API server; shown where rights are missing. */
  readonly serviceAccount: { readonly namespace: string; readonly name: string };
  /** ClusterRole that a namespace grants the operator. */
  readonly tenantRole: string;
  /** Whether Services can be reached from where the operator runs. */
  readonly probeServices: boolean;
  /** Shortens the waits of a key rotation that depend on how long others keep our answers; 1 outside of tests. */
  readonly keyWaitDivisor: number;
}

/** Everything outside a resource that its steps use. */
export interface Environment {
  readonly client: KubeClient;
  /** Asks the API server whatever the caches say; for what has to be true at this moment. */
  readonly direct: Pick<KubeClient, 'get'>;
  readonly caches: Caches;
  /** Which optional kinds this cluster has. */
  readonly discovery: ApiDiscovery;
  readonly turns: UpgradeTurns;
  readonly deletions: Deletions;
  readonly drift: Drift;
  readonly events: EventRecorder;
  readonly settings: ReconcileSettings;
  /** undefined: nobody looks at servers from outside. */
  readonly checker: FederationChecker | undefined;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Unix ms. */
  readonly now: () => number;
}

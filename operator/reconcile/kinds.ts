import { API_VERSION, KIND, PLURAL } from '../api/matrix-homeserver.ts';
import type { Resource } from '../runtime/kube-object.ts';

/** A kind of object that the operator makes beside its resources. */
export interface OwnedKind extends Resource {
  /** True where another project defines it: a cluster may lack it, or get it later. */
  readonly optional: boolean;
}

const kind = (apiVersion: string, name: string, plural: string): Resource => ({
  apiVersion,
  kind: name,
  plural,
  namespaced: true,
});

const owned = (apiVersion: string, name: string, plural: string): OwnedKind => ({
  ...kind(apiVersion, name, plural),
  optional: false,
});

const optional = (apiVersion: string, name: string, plural: string): OwnedKind => ({
  ...kind(apiVersion, name, plural),
  optional: true,
});

/**
 * Every kind that is owned, watched by our label and put back when somebody changes it. A new one is one entry here:
 * caches, clean-up and the rights that the chart grants (`npm run generate`) follow from it.
 */
export const OWNED_KINDS = {
  service: owned('v1', 'Service', 'services'),
  serviceAccount: owned('v1', 'ServiceAccount', 'serviceaccounts'),
  deployment: owned('apps/v1', 'Deployment', 'deployments'),
  job: owned('batch/v1', 'Job', 'jobs'),
  cronJob: owned('batch/v1', 'CronJob', 'cronjobs'),
  podDisruptionBudget: owned('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  horizontalPodAutoscaler: owned('autoscaling/v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers'),
  persistentVolumeClaim: owned('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims'),
  networkPolicy: owned('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies'),
  ingress: owned('networking.k8s.io/v1', 'Ingress', 'ingresses'),
  httpRoute: optional('gateway.networking.k8s.io/v1', 'HTTPRoute', 'httproutes'),
  serviceMonitor: optional('monitoring.coreos.com/v1', 'ServiceMonitor', 'servicemonitors'),
} as const satisfies Readonly<Record<string, OwnedKind>>;

/** Every kind of object that the operator reads or writes. */
export const KINDS = {
  homeserver: kind(API_VERSION, KIND, PLURAL),
  secret: kind('v1', 'Secret', 'secrets'),
  namespace: { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false },
  configMap: kind('v1', 'ConfigMap', 'configmaps'),
  ...OWNED_KINDS,
} as const;

/** Served by OpenShift only: there the platform chooses user and group of pods, and refuses others. */
export const OPENSHIFT_MARK: Resource = {
  apiVersion: 'security.openshift.io/v1',
  kind: 'SecurityContextConstraints',
  plural: 'securitycontextconstraints',
  namespaced: false,
};

/** Field managers: each object has exactly one of them as its writer. */
export const MANAGERS = {
  children: 'matrix-operator',
  secrets: 'matrix-operator-secrets',
  status: 'matrix-operator-status',
  finalizers: 'matrix-operator-finalizers',
} as const;

import type { MatrixHomeserver } from '../api/matrix-homeserver.ts';
import { clientService } from '../resources/client-service.ts';
import { configMap } from '../resources/config-map.ts';
import { horizontalPodAutoscaler } from '../resources/horizontal-pod-autoscaler.ts';
import { networkPolicy } from '../resources/network-policy.ts';
import { podDisruptionBudget } from '../resources/pod-disruption-budget.ts';
import { serviceAccount } from '../resources/service-account.ts';
import { serviceMonitor } from '../resources/service-monitor.ts';
import { isAlreadyExists } from '../runtime/kube-error.ts';
import type { Child } from './ensure-children.ts';
import { ensureChildren } from './ensure-children.ts';
import { KINDS, MANAGERS, OWNED_KINDS } from './kinds.ts';
import type { Resolved } from './resolve.ts';
import type { StepContext, StepResult } from './step.ts';
import { done } from './step.ts';

const POSTGRES_PORT = 5432;

/** What stands around the pods and depends on nothing but the spec. */
export async function ensureObjects(ctx: StepContext): Promise<StepResult<undefined>> {
  // Without the Prometheus operator nobody would read a ServiceMonitor: that it is lacking is no fault.
  await ensureChildren(ctx, wantedObjects(ctx));
  return done(undefined);
}

function wantedObjects({ owner, names, homeserver }: StepContext): Child[] {
  const { pod, replicas, autoscaling, networkPolicy: wanted, monitoring, federation, media } = homeserver.spec;
  const policy = networkPolicy({
    owner,
    wanted,
    databasePort: databasePort(homeserver),
    media,
    reachesServers: federation.mode === 'Enabled',
  });
  return [
    { kind: OWNED_KINDS.networkPolicy, name: names.networkPolicy, manifest: policy },
    { kind: OWNED_KINDS.serviceAccount, name: names.serviceAccount, manifest: serviceAccount(owner, pod) },
    { kind: OWNED_KINDS.service, name: names.service, manifest: clientService(owner) },
    {
      kind: OWNED_KINDS.podDisruptionBudget,
      name: names.podDisruptionBudget,
      manifest: podDisruptionBudget(owner, replicas),
    },
    {
      kind: OWNED_KINDS.horizontalPodAutoscaler,
      name: names.autoscaler,
      manifest: horizontalPodAutoscaler(owner, autoscaling),
    },
    { kind: OWNED_KINDS.serviceMonitor, name: names.serviceMonitor, manifest: serviceMonitor(owner, monitoring) },
  ];
}

/** The spec names it, or the Secret of an existing database, whose port is in the status once it was reached. */
function databasePort({ spec, status }: MatrixHomeserver): number {
  const seen = /:([0-9]{1,5})$/.exec(status.database?.server ?? '')?.[1];
  return spec.database.server?.port ?? Number(seen ?? POSTGRES_PORT);
}

/** The immutable configuration of this spec; when one of that name is there it is the same by its hash. */
export async function ensureConfigMap(ctx: StepContext, resolved: Resolved): Promise<string> {
  const { env, owner, names } = ctx;
  const name = names.config(resolved.configHash);
  const { namespace } = owner;
  if (env.caches.versionOf(KINDS.configMap, { namespace, name }) !== undefined) return name;
  const isSeen = env.caches.seesSecrets(namespace);
  if (!isSeen && (await env.client.get(KINDS.configMap, { namespace, name })) !== undefined) return name;
  try {
    const manifest = configMap(owner, resolved.configYaml, resolved.configHash);
    await env.client.create(KINDS.configMap, manifest, MANAGERS.children);
    env.metrics.writes.inc({ kind: 'ConfigMap' });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
  return name;
}

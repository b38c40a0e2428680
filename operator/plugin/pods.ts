import { text as readAll } from 'node:stream/consumers';
import * as z from 'zod';
import { podSelectorText } from '../resources/labels.ts';
import type { Resource } from '../runtime/kube-object.ts';
import type { Cluster } from './cluster.ts';
import { PluginError } from './terminal.ts';

const PODS: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };

/** The container that serves, in pods of a homeserver. */
export const SERVING_CONTAINER = 'homeserver';

const Pod = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    creationTimestamp: z.string().default(''),
    deletionTimestamp: z.string().optional(),
  }),
  status: z
    .looseObject({
      phase: z.string().default(''),
      conditions: z
        .array(z.looseObject({ type: z.string(), status: z.string() }))
        .nullish()
        .transform((found) => found ?? []),
    })
    .prefault({}),
});

export interface PodFacts {
  readonly name: string;
  readonly createdAt: string;
  /** It has begun, so there is a log. */
  readonly hasLog: boolean;
  /** It serves and stays. */
  readonly isReady: boolean;
}

/** Pods with these labels, oldest first. */
export async function listPods({ client, namespace }: Cluster, labelSelector: string): Promise<PodFacts[]> {
  const { items } = await client.list(PODS, { namespace, labelSelector });
  return items.map((item) => facts(Pod.parse(item))).sort((a, b) => a.createdAt.localeCompare(b.createdAt));
}

function facts({ metadata, status }: z.infer<typeof Pod>): PodFacts {
  const holds = status.conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True');
  return {
    name: metadata.name,
    createdAt: metadata.creationTimestamp,
    hasLog: status.phase !== '' && status.phase !== 'Pending',
    isReady: holds && metadata.deletionTimestamp === undefined,
  };
}

/** A replica that serves; a PluginError if there is none. */
export async function readyReplica(cluster: Cluster, homeserver: string): Promise<string> {
  const pods = await listPods(cluster, podSelectorText(homeserver));
  const ready = pods.find(({ isReady }) => isReady);
  if (ready !== undefined) return ready.name;
  const where = `${cluster.namespace}/${homeserver}`;
  throw new PluginError(
    `${where} has no replica that is ready (${pods.length} pods); kubectl matrix status ${homeserver} says why`,
  );
}

export interface LogOptions {
  readonly container?: string | undefined;
  readonly follow?: boolean;
  /** The last lines only. */
  readonly tail?: number | undefined;
  /** Not older than this many seconds. */
  readonly sinceSeconds?: number | undefined;
  readonly timestamps?: boolean;
  readonly signal?: AbortSignal;
}

/** The log of a pod as it comes; with `follow`, until the pod or the signal ends. */
export function podLog({ client, namespace }: Cluster, pod: string, options: LogOptions) {
  const { container, follow, tail, sinceSeconds, timestamps, signal } = options;
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`;
  const query = {
    ...(container === undefined ? {} : { container }),
    ...(follow === true ? { follow: 'true' } : {}),
    ...(tail === undefined ? {} : { tailLines: String(tail) }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds: String(sinceSeconds) }),
    ...(timestamps === true ? { timestamps: 'true' } : {}),
  };
  return client.streamRaw(path, query, signal);
}

/** More than any report of ours. */
const REPORT_LINES = 1000;

/** The end of a finished pod's log, by lines. */
export async function lastLines(cluster: Cluster, pod: string): Promise<string[]> {
  const text = await readAll(await podLog(cluster, pod, { tail: REPORT_LINES }));
  return text.split('\n').filter((line) => line !== '');
}

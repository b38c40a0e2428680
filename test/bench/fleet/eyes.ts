import { MatrixHomeserver } from '../../../operator/api/matrix-homeserver.ts';
import { HOMESERVER_LABEL } from '../../../operator/resources/labels.ts';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import type { KubeObject } from '../../../operator/runtime/kube-object.ts';
import { createReflector } from '../../../operator/runtime/reflector.ts';
import { z } from 'zod';

const Policy = z.looseObject({ spec: z.looseObject({ ingress: z.array(z.unknown()) }) });

interface Edit {
  readonly number: number;
  readonly call: () => void;
}

/** What the benchmark sees of the fleet, by watches of its own. */
export interface Eyes {
  readonly jobs: () => number;
  readonly ready: () => number;
  /** Calls once the NetworkPolicy of the resource shows the edit with this number, or a later one. */
  onEdit(resource: string, number: number, call: () => void): void;
  stop(): Promise<void>;
}

export async function openEyes(client: KubeClient): Promise<Eyes> {
  const stop = new AbortController();
  const wanted = new Map<string, Edit[]>();
  const onKey = (key: string): void => {
    const [resource = '', shown = ''] = key.split(' ');
    const waiting = wanted.get(resource) ?? [];
    for (const { number, call } of waiting) if (number <= Number(shown)) call();
    wanted.set(
      resource,
      waiting.filter(({ number }) => number > Number(shown)),
    );
  };
  const jobs = createReflector<string>({
    client,
    resource: KINDS.job,
    labelSelector: HOMESERVER_LABEL,
    keep: ({ metadata }) => metadata.name,
    keysOf: () => [],
    onKey: () => undefined,
  });
  const homeservers = createReflector<boolean>({
    client,
    resource: KINDS.homeserver,
    keep: (object) => isReady(MatrixHomeserver.parse(object)),
    keysOf: () => [],
    onKey: () => undefined,
  });
  const policies = createReflector<string>({
    client,
    resource: KINDS.networkPolicy,
    labelSelector: HOMESERVER_LABEL,
    keep: (object) => `${object.metadata.name} ${editShown(object)}`,
    keysOf: (key) => [key],
    onKey,
  });
  const all = [jobs, homeservers, policies];
  const runs = all.map((reflector) => reflector.run(stop.signal));
  await Promise.all(all.map(({ synced }) => synced));
  return {
    jobs: () => jobs.values().length,
    ready: () => homeservers.values().filter(Boolean).length,
    onEdit: (resource, number, call) => void wanted.set(resource, [...(wanted.get(resource) ?? []), { number, call }]),
    async stop() {
      stop.abort();
      await Promise.all(runs);
    },
  };
}

/** Number of the last edit that a NetworkPolicy shows; 0: none. */
function editShown(policy: KubeObject): number {
  return Number(/edit-(\d+)/.exec(JSON.stringify(Policy.parse(policy).spec.ingress))?.[1] ?? 0);
}

function isReady({ metadata, status }: MatrixHomeserver): boolean {
  const isSeen = status.observedGeneration === metadata.generation;
  return isSeen && status.conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True');
}

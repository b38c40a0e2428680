import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { KubeClient } from './kube-client.ts';
import { KubeError, isNotFound } from './kube-error.ts';
import type { Resource } from './kube-object.ts';

export interface DiscoveryOptions {
  readonly client: Pick<KubeClient, 'getRaw'>;
  /** The kinds that a cluster may lack. */
  readonly resources: readonly Resource[];
  readonly onError: (error: unknown) => void;
  readonly timing?: Partial<DiscoveryTiming>;
}

export interface DiscoveryTiming {
  readonly everyMs: number;
  /** Least time between two looks, whoever asks. */
  readonly leastMs: number;
}

const TIMING: DiscoveryTiming = { everyMs: 30_000, leastMs: 2000 };

/** Which kinds of other projects the API server serves, as of the last look. Needs no rights that others lack. */
export interface ApiDiscovery {
  /** Resolves after the first look that was answered. */
  readonly looked: Promise<void>;
  /** false before the first look. */
  serves(resource: Resource): boolean;
  /** Called after each look that differs from the one before. */
  onChange(listener: () => void): () => void;
  /** Look again soon: something that was served is not found, or the other way round. */
  recheck(): void;
  /** Looks until the signal aborts; never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

const ResourceList = z.looseObject({ resources: z.array(z.looseObject({ name: z.string() })) });

/** Makes a discovery; nothing is asked for before `run`. */
export function createApiDiscovery(options: DiscoveryOptions): ApiDiscovery {
  const { everyMs, leastMs } = { ...TIMING, ...options.timing };
  const { promise: looked, resolve: markLooked } = Promise.withResolvers<void>();
  const listeners = new Set<() => void>();
  let served: ReadonlySet<string> = new Set();
  let wake = new AbortController();

  async function look(signal: AbortSignal): Promise<void> {
    const found = await readServed(options, signal);
    const isSame = found.size === served.size && [...found].every((name) => served.has(name));
    served = found;
    markLooked();
    if (!isSame) for (const listener of listeners) listener();
  }

  return {
    looked,
    serves: (resource) => served.has(nameOf(resource)),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    recheck: () => wake.abort(),
    async run(signal) {
      while (!signal.aborted) {
        wake = new AbortController();
        // What could not be looked at stays as it was seen last.
        await look(signal).catch((error: unknown) => {
          if (!signal.aborted) options.onError(error);
        });
        await pause(leastMs, signal);
        await pause(everyMs - leastMs, AbortSignal.any([signal, wake.signal]));
      }
    },
  };
}

async function readServed({ client, resources }: DiscoveryOptions, signal: AbortSignal): Promise<Set<string>> {
  const found = new Set<string>();
  for (const apiVersion of new Set(resources.map((resource) => resource.apiVersion))) {
    const names = await namesServed(() => client.getRaw(`/apis/${apiVersion}`, signal));
    const present = resources.filter((one) => one.apiVersion === apiVersion && names.includes(one.plural));
    for (const resource of present) found.add(nameOf(resource));
  }
  return found;
}

async function namesServed(read: () => Promise<unknown>): Promise<string[]> {
  try {
    return ResourceList.parse(await read()).resources.map(({ name }) => name);
  } catch (error) {
    // Who may not even look may not use the kind either.
    if (isNotFound(error) || (error instanceof KubeError && error.status === 403)) return [];
    throw error;
  }
}

function nameOf({ apiVersion, plural }: Resource): string {
  return `${apiVersion}/${plural}`;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    // Aborted: the loop looks at the signal itself.
  }
}

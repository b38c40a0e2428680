import type { KubeClient } from './kube-client.ts';
import type { KubeObject, ObjectName, Resource } from './kube-object.ts';
import { objectKey } from './kube-object.ts';

export interface RememberingOptions {
  readonly client: KubeClient;
  /** Kinds whose objects are remembered for a moment. */
  readonly kinds: readonly Resource[];
  /** Version of an object by a watch; undefined where it is not there or nobody watches it. */
  readonly versionOf: (resource: Resource, name: ObjectName) => string | undefined;
  /** Told of each write before it begins; what it gives back is told of the end, with what was written. */
  readonly onWrite: (resource: Resource, name: ObjectName) => (written: KubeObject | undefined) => void;
}

/** How long an object is kept after its last use, ms: while a thousand resources are made, each waits a minute for its turn. */
const KEEP_MS = 120_000;
/** Four Secrets of each of a thousand resources, 2 kB each. */
const MAX_KEPT = 5000;

interface Kept {
  readonly object: KubeObject;
  readonly at: number;
}

/**
 * A client that does not ask again for what a watch says has not changed since it was read or written. What is absent is
 * always asked for: that nothing is there may be decided by the API server only.
 */
export function createRememberingClient(options: RememberingOptions): KubeClient {
  const { client } = options;
  const memory = createMemory();
  const idOf = (resource: Resource, name: ObjectName) => `${resource.kind} ${objectKey(name)}`;
  const write = async (resource: Resource, name: ObjectName, work: () => Promise<KubeObject>): Promise<KubeObject> => {
    const end = options.onWrite(resource, name);
    let written: KubeObject | undefined;
    try {
      written = await work();
    } finally {
      end(written);
    }
    if (options.kinds.includes(resource)) memory.keep(idOf(resource, name), written);
    return written;
  };
  return {
    ...client,
    async get(resource, name) {
      if (!options.kinds.includes(resource)) return client.get(resource, name);
      const version = options.versionOf(resource, name);
      const known = version === undefined ? undefined : memory.recall(idOf(resource, name), version);
      if (known !== undefined) return known;
      const object = await client.get(resource, name);
      if (object !== undefined) memory.keep(idOf(resource, name), object);
      return object;
    },
    create: (resource, manifest, manager) =>
      write(resource, manifest.metadata, () => client.create(resource, manifest, manager)),
    apply: (resource, manifest, manager) =>
      write(resource, manifest.metadata, () => client.apply(resource, manifest, manager)),
    replace: (resource, object, manager) =>
      write(resource, object.metadata, () => client.replace(resource, object, manager)),
    close() {
      memory.clear();
      return client.close();
    },
  };
}

function createMemory() {
  /** The least recently used first. */
  const kept = new Map<string, Kept>();
  let sweeper: NodeJS.Timeout | undefined;
  const sweep = (): void => {
    sweeper = undefined;
    const oldest = performance.now() - KEEP_MS;
    for (const [id, { at }] of kept) if (at < oldest) kept.delete(id);
    if (kept.size > 0) sweepLater();
  };
  const sweepLater = (): void => {
    sweeper ??= setTimeout(sweep, KEEP_MS);
    sweeper.unref();
  };
  const touch = (id: string, object: KubeObject): void => {
    kept.delete(id);
    kept.set(id, { object, at: performance.now() });
    const first = kept.keys().next().value;
    if (kept.size > MAX_KEPT && first !== undefined) kept.delete(first);
    sweepLater();
  };
  return {
    keep: (id: string, object: KubeObject) => touch(id, withoutManagers(object)),
    recall(id: string, version: string): KubeObject | undefined {
      const object = kept.get(id)?.object;
      if (object?.metadata.resourceVersion !== version) return undefined;
      touch(id, object);
      return object;
    },
    clear(): void {
      clearTimeout(sweeper);
      kept.clear();
    },
  };
}

/** Half of an object. The API server takes an object that lacks it as one that leaves it as it is. */
function withoutManagers(object: KubeObject): KubeObject {
  return { ...object, metadata: { ...object.metadata, managedFields: undefined } };
}

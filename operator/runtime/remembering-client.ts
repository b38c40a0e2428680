import type { KubeClient } from './kube-client.ts';
import type { KubeObject, ObjectName, Resource } from './kube-object.ts';
import { objectKey } from './kube-object.ts';

export interface RememberingOptions {
  readonly client: KubeClient;
  /** Kinds whose objects are remembered for a moment. */
  readonly kinds: readonly Resource[];
  /** Version of an object by a watch; undefined where it is not there or nobody watches it. */
  readonly versionOf: (resource: Resource, name: ObjectName) => string | undefined;
  /** Told of each object that was written. */
  readonly onWritten: (resource: Resource, object: KubeObject) => void;
}

/** How long an object is kept after its last use, ms: about as long as a resource is being worked on. */
const KEEP_MS = 30_000;
const MAX_KEPT = 1000;

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
  const written = async (resource: Resource, work: Promise<KubeObject>): Promise<KubeObject> => {
    const object = await work;
    options.onWritten(resource, object);
    if (options.kinds.includes(resource)) memory.keep(idOf(resource, object.metadata), object);
    return object;
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
    create: (resource, manifest, manager) => written(resource, client.create(resource, manifest, manager)),
    apply: (resource, manifest, manager) => written(resource, client.apply(resource, manifest, manager)),
    replace: (resource, object, manager) => written(resource, client.replace(resource, object, manager)),
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
  const keep = (id: string, object: KubeObject): void => {
    kept.delete(id);
    kept.set(id, { object, at: performance.now() });
    const first = kept.keys().next().value;
    if (kept.size > MAX_KEPT && first !== undefined) kept.delete(first);
    sweepLater();
  };
  return {
    keep,
    recall(id: string, version: string): KubeObject | undefined {
      const object = kept.get(id)?.object;
      if (object?.metadata.resourceVersion !== version) return undefined;
      keep(id, object);
      return object;
    },
    clear(): void {
      clearTimeout(sweeper);
      kept.clear();
    },
  };
}

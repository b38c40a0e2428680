import { objectKey } from './kube-object.ts';
import type { KubeObject } from './kube-object.ts';
import { isNewer } from './resource-version.ts';

export interface ObjectCacheOptions<Kept> {
  readonly keep: (object: KubeObject) => Kept | undefined;
  readonly keysOf: (kept: Kept) => readonly string[];
  readonly onKey: (key: string) => void;
}

interface Entry<Kept> {
  readonly version: string;
  readonly kept: Kept | undefined;
}

/** Trimmed copies of objects by key. Only a difference of versions counts as a change. */
export function createObjectCache<Kept>({ keep, keysOf, onKey }: ObjectCacheOptions<Kept>) {
  const entries = new Map<string, Entry<Kept>>();

  function trimmed(object: KubeObject): Kept | undefined {
    try {
      return keep(object);
    } catch {
      // One object that cannot be read must not stop the watch of all others.
      return undefined;
    }
  }

  function announce(before: Kept | undefined, after: Kept | undefined): void {
    const keys = [before, after].flatMap((kept) => (kept === undefined ? [] : keysOf(kept)));
    for (const key of new Set(keys)) onKey(key);
  }

  function put(object: KubeObject): void {
    const key = objectKey(object.metadata);
    const before = entries.get(key);
    if (before?.version === object.metadata.resourceVersion) return;
    const kept = trimmed(object);
    entries.set(key, { version: object.metadata.resourceVersion, kept });
    announce(before?.kept, kept);
  }

  function drop(key: string): void {
    const before = entries.get(key);
    if (before === undefined) return;
    entries.delete(key);
    announce(before.kept, undefined);
  }

  return {
    get: (key: string): Kept | undefined => entries.get(key)?.kept,
    values: (): Kept[] => [...entries.values()].flatMap(({ kept }) => (kept === undefined ? [] : [kept])),
    put,
    remove: (object: KubeObject) => drop(objectKey(object.metadata)),
    /** Takes over what this process wrote, as no news to anybody; an older copy than the present one is ignored. */
    assume(object: KubeObject): void {
      const key = objectKey(object.metadata);
      const { resourceVersion: version } = object.metadata;
      const before = entries.get(key);
      if (before === undefined || isNewer(version, before.version))
        entries.set(key, { version, kept: trimmed(object) });
    },
    /** Makes the cache equal to a complete list and announces the differences only. */
    replaceAll(objects: readonly KubeObject[]): void {
      const present = new Set(objects.map((object) => objectKey(object.metadata)));
      for (const key of [...entries.keys()]) if (!present.has(key)) drop(key);
      for (const object of objects) put(object);
    },
  };
}

import { objectKey } from './kube-object.ts';
import type { KubeObject } from './kube-object.ts';
import { isNewer } from './resource-version.ts';

export interface ObjectCacheOptions<Kept> {
  readonly keep: (object: KubeObject) => Kept | undefined;
  readonly keysOf: (kept: Kept) => readonly string[];
  /** [none] What an object can be found by, beside its own key. */
  readonly termsOf?: ((kept: Kept) => readonly string[]) | undefined;
  readonly onKey: (key: string) => void;
}

interface Entry<Kept> {
  readonly version: string;
  readonly kept: Kept | undefined;
}

/** Trimmed copies of objects by key. Only a difference of versions counts as a change. */
export function createObjectCache<Kept>({ keep, keysOf, termsOf, onKey }: ObjectCacheOptions<Kept>) {
  const { entries, set, find } = createEntries(termsOf ?? (() => []));

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
    set(key, { version: object.metadata.resourceVersion, kept });
    announce(before?.kept, kept);
  }

  function drop(key: string): void {
    const before = entries.get(key);
    if (before === undefined) return;
    set(key, undefined);
    announce(before.kept, undefined);
  }

  return {
    find,
    get: (key: string): Kept | undefined => entries.get(key)?.kept,
    values: (): Kept[] => [...entries.values()].flatMap(({ kept }) => (kept === undefined ? [] : [kept])),
    put,
    remove: (object: KubeObject) => drop(objectKey(object.metadata)),
    /** Takes over what this process wrote, as no news to anybody; an older copy than the present one is ignored. */
    assume(object: KubeObject): void {
      const key = objectKey(object.metadata);
      const { resourceVersion: version } = object.metadata;
      const before = entries.get(key);
      if (before === undefined || isNewer(version, before.version)) set(key, { version, kept: trimmed(object) });
    },
    /** Makes the cache equal to a complete list and announces the differences only. */
    replaceAll(objects: readonly KubeObject[]): void {
      const present = new Set(objects.map((object) => objectKey(object.metadata)));
      for (const key of [...entries.keys()]) if (!present.has(key)) drop(key);
      for (const object of objects) put(object);
    },
  };
}

function createEntries<Kept>(termsOf: (kept: Kept) => readonly string[]) {
  const entries = new Map<string, Entry<Kept>>();
  const terms = createTerms(termsOf);
  return {
    entries,
    find: terms.find,
    /** Replaces the entry of a key; without a new one it goes. */
    set(key: string, after: Entry<Kept> | undefined): void {
      terms.remove(entries.get(key)?.kept);
      if (after === undefined) entries.delete(key);
      else entries.set(key, after);
      terms.add(after?.kept);
    },
  };
}

function createTerms<Kept>(termsOf: (kept: Kept) => readonly string[]) {
  const found = new Map<string, readonly Kept[]>();
  return {
    find: (term: string): readonly Kept[] => found.get(term) ?? [],
    add(kept: Kept | undefined): void {
      if (kept === undefined) return;
      for (const term of termsOf(kept)) found.set(term, [...(found.get(term) ?? []), kept]);
    },
    remove(kept: Kept | undefined): void {
      if (kept === undefined) return;
      for (const term of termsOf(kept)) {
        const rest = found.get(term)?.filter((one) => one !== kept) ?? [];
        if (rest.length === 0) found.delete(term);
        else found.set(term, rest);
      }
    },
  };
}

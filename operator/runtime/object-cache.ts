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

/** Trimmed copies of objects by key. Only a difference of what is kept counts as a change. */
export function createObjectCache<Kept>({ keep, keysOf, termsOf, onKey }: ObjectCacheOptions<Kept>) {
  const { entries, set, find } = createEntries(termsOf ?? (() => []));
  const news = createNews(onKey);
  const ahead = createAhead();
  const trimmed = orUndefined(keep);

  function announce(key: string, before: Entry<Kept> | undefined, after: Entry<Kept> | undefined): void {
    const keys = [before?.kept, after?.kept].flatMap((kept) => (kept === undefined ? [] : keysOf(kept)));
    news.tell(key, after?.version, keys);
  }

  function put(object: KubeObject): void {
    const key = objectKey(object.metadata);
    const { resourceVersion: version } = object.metadata;
    const before = entries.get(key);
    const isOwn = ahead.reach(key, version);
    if (before?.version === version) return;
    const after = { version, kept: trimmed(object) };
    const isBehind = before !== undefined && ahead.has(key, before.version);
    if (!isBehind) set(key, after);
    // What others did before a write of ours is news, though the copy of ours is the newer one.
    if (!(isBehind && isOwn) && !isSame(before?.kept, after.kept)) announce(key, before, after);
  }

  function drop(key: string): void {
    const before = entries.get(key);
    if (before === undefined) return;
    set(key, undefined);
    announce(key, before, undefined);
  }

  return {
    find,
    get: (key: string): Kept | undefined => entries.get(key)?.kept,
    values: (): Kept[] => [...entries.values()].flatMap(({ kept }) => (kept === undefined ? [] : [kept])),
    put,
    remove: (object: KubeObject) => drop(objectKey(object.metadata)),
    expect: news.hold,
    /** Takes over what this process wrote, as no news to anybody; an older copy than the present one is ignored. */
    assume(object: KubeObject): void {
      const key = objectKey(object.metadata);
      const { resourceVersion: version } = object.metadata;
      const before = entries.get(key);
      if (before !== undefined && !isNewer(version, before.version)) return;
      set(key, { version, kept: trimmed(object) });
      ahead.add(key, version);
    },
    /** Makes the cache equal to a complete list and announces the differences only. */
    replaceAll(objects: readonly KubeObject[]): void {
      ahead.clear();
      const present = new Set(objects.map((object) => objectKey(object.metadata)));
      for (const key of [...entries.keys()]) if (!present.has(key)) drop(key);
      for (const object of objects) put(object);
    },
  };
}

/** One object that cannot be read must not stop the watch of all others. */
function orUndefined<Kept>(keep: (object: KubeObject) => Kept | undefined) {
  return (object: KubeObject): Kept | undefined => {
    try {
      return keep(object);
    } catch {
      return undefined;
    }
  };
}

/** What no reader of the copies could tell from one another, such as another version with a status of which nothing is kept. */
function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Versions that this process wrote and that the watch, which tells of versions in their order, has not come to yet. */
function createAhead() {
  const versions = new Map<string, Set<string>>();
  return {
    has: (key: string, version: string): boolean => versions.get(key)?.has(version) ?? false,
    add(key: string, version: string): void {
      versions.set(key, (versions.get(key) ?? new Set()).add(version));
    },
    /** The watch has come to this version; whether it is one of these. */
    reach(key: string, version: string): boolean {
      const own = versions.get(key);
      const isOwn = own?.delete(version) ?? false;
      if (own?.size === 0) versions.delete(key);
      return isOwn;
    },
    clear: () => versions.clear(),
  };
}

/** Ends the wait for a write: the version that was written, undefined when nothing was. */
export type EndOfWrite = (version: string | undefined) => void;

interface Held {
  writes: number;
  readonly own: Set<string>;
  readonly heard: { readonly version: string | undefined; readonly keys: readonly string[] }[];
}

/** Tells of changes, once a key; of an object that this process is writing only once it is known whether it was that write. */
function createNews(onKey: (key: string) => void) {
  const writing = new Map<string, Held>();
  const tellAll = (keys: readonly string[]): void => {
    for (const key of new Set(keys)) onKey(key);
  };
  return {
    tell(object: string, version: string | undefined, keys: readonly string[]): void {
      const held = writing.get(object);
      if (held === undefined) tellAll(keys);
      else held.heard.push({ version, keys });
    },
    /** A watch may tell of a write before the write itself is answered. */
    hold(object: string): EndOfWrite {
      const held = writing.get(object) ?? { writes: 0, own: new Set(), heard: [] };
      writing.set(object, held);
      held.writes += 1;
      return (version) => {
        if (version !== undefined) held.own.add(version);
        held.writes -= 1;
        if (held.writes > 0) return;
        writing.delete(object);
        const others = held.heard.filter((one) => one.version === undefined || !held.own.has(one.version));
        tellAll(others.flatMap(({ keys }) => keys));
      };
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

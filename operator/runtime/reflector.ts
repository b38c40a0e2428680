import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from './backoff.ts';
import type { KubeClient } from './kube-client.ts';
import { KubeError, isGone } from './kube-error.ts';
import type { KubeObject, ObjectName, Resource } from './kube-object.ts';
import { objectKey } from './kube-object.ts';
import type { EndOfWrite } from './object-cache.ts';
import { createObjectCache } from './object-cache.ts';
import { isNewer } from './resource-version.ts';
import type { WatchEvent } from './watch-lines.ts';

export interface ReflectorOptions<Kept> {
  readonly client: KubeClient;
  readonly resource: Resource;
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  /** What is cached of an object; whatever is not returned is forgotten. undefined or a throw: the object is left out. */
  readonly keep: (object: KubeObject) => Kept | undefined;
  /** Queue keys that a change of this object concerns (a child: its owner's key). Called for the old and the new copy. */
  readonly keysOf: (kept: Kept) => readonly string[];
  /** [none] What an object can be found by, beside its own key. */
  readonly termsOf?: ((kept: Kept) => readonly string[]) | undefined;
  /** Called for each difference seen, once a key. */
  readonly onKey: (key: string) => void;
  readonly onEvent?: (event: ReflectorEvent) => void;
  readonly timing?: Partial<ReflectorTiming>;
}

/** For metrics and logs: a list with its cause, or the end of a watch. */
export interface ReflectorEvent {
  readonly kind: string;
  readonly what: 'list' | 'watch-end';
  readonly cause: ListCause | WatchEnd;
  readonly error?: unknown;
}

export type ListCause = 'start' | 'gone' | 'unreadable' | 'stalled' | 'periodic';
export type WatchEnd = 'ended' | 'failed' | 'gone' | 'unreadable' | 'stalled' | 'due' | 'stopped';

export interface ReflectorTiming {
  /** A watch ends by itself after this many seconds, random within the range. */
  readonly watchSeconds: readonly [number, number];
  /** Without a byte for so long a watch counts as dead; bookmarks come each minute, but are not promised. */
  readonly stallMs: number;
  readonly relistMs: number;
  readonly backoff: { readonly minMs: number; readonly maxMs: number; readonly jitter: number };
}

const TIMING: ReflectorTiming = {
  watchSeconds: [240, 480],
  stallMs: 150_000,
  relistMs: 3_600_000,
  backoff: { minMs: 200, maxMs: 30_000, jitter: 0.2 },
};
const RELIST_JITTER = 0.25;
const MAX_STALLS = 3;

/** A cached copy of all objects of one kind, kept fresh by list and watch. */
export interface Reflector<Kept> {
  readonly resource: Resource;
  /** By `objectKey`. */
  get(key: string): Kept | undefined;
  values(): readonly Kept[];
  /** Those that have this term now. */
  find(term: string): readonly Kept[];
  /** Resolves after the first list. */
  readonly synced: Promise<void>;
  readonly isSynced: boolean;
  /** Milliseconds since the last byte or completed list. */
  staleMs(): number;
  /**
   * Takes over an object that this process has just written, so that its own write is no news. Ignored when the watch has
   * been past that version already: it may have told of the object's end.
   */
  assume(object: KubeObject): void;
  /** Keeps what the watch says of an object to itself while this process writes it; what others did is told at the end. */
  expect(name: ObjectName): EndOfWrite;
  /** Runs until the signal aborts; never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

/** Makes a reflector; nothing is asked for before `run`. */
export function createReflector<Kept>(options: ReflectorOptions<Kept>): Reflector<Kept> {
  return new ListWatchReflector(options);
}

interface Followed {
  readonly end: WatchEnd;
  readonly error?: unknown;
  /** Whether any byte came. */
  readonly live: boolean;
}

class ListWatchReflector<Kept> implements Reflector<Kept> {
  readonly resource: Resource;
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<Kept>;
  readonly #timing: ReflectorTiming;
  readonly #cache: ReturnType<typeof createObjectCache<Kept>>;
  readonly #markSynced: () => void;
  #isSynced = false;
  #lastContact = performance.now();
  /** Where the next watch starts; undefined: list first. */
  #version: string | undefined;
  #listCause: ListCause = 'start';
  #relistAt = 0;
  #stalls = 0;

  constructor(options: ReflectorOptions<Kept>) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.resource = options.resource;
    this.synced = promise;
    this.#markSynced = resolve;
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.#cache = createObjectCache(options);
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  get(key: string): Kept | undefined {
    return this.#cache.get(key);
  }

  values(): readonly Kept[] {
    return this.#cache.values();
  }

  find(term: string): readonly Kept[] {
    return this.#cache.find(term);
  }

  staleMs(): number {
    return performance.now() - this.#lastContact;
  }

  assume(object: KubeObject): void {
    const { namespace, labelSelector } = this.#options;
    const isOurs = namespace === undefined || object.metadata.namespace === namespace;
    if (this.#version === undefined || !isOurs || !isSelected(object, labelSelector)) return;
    if (isNewer(object.metadata.resourceVersion, this.#version)) this.#cache.assume(object);
  }

  expect(name: ObjectName): EndOfWrite {
    return this.#cache.expect(objectKey(name));
  }

  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const { end, error, live } = await this.#round(signal);
      this.#report({ what: 'watch-end', cause: end, ...(error === undefined ? {} : { error }) });
      this.#decide(end);
      if (end === 'due') continue;
      failures = live ? 0 : failures;
      await pause(backoffMs(failures, this.#timing.backoff), signal);
      failures += 1;
    }
  }

  /** Lists if that is due, then follows one watch to its end. */
  async #round(signal: AbortSignal): Promise<Followed> {
    try {
      const from = this.#version ?? (await this.#list(signal));
      return await this.#follow(from, signal);
    } catch (error) {
      return { end: signal.aborted ? 'stopped' : 'failed', error, live: false };
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    this.#report({ what: 'list', cause: this.#listCause });
    const { items, resourceVersion } = await this.#options.client.list(this.resource, { ...this.#scope(), signal });
    this.#cache.replaceAll(items);
    this.#version = resourceVersion;
    this.#relistAt =
      performance.now() + this.#timing.relistMs * (1 - RELIST_JITTER + 2 * RELIST_JITTER * Math.random());
    this.#lastContact = performance.now();
    this.#isSynced = true;
    this.#markSynced();
    return resourceVersion;
  }

  async #follow(from: string, signal: AbortSignal): Promise<Followed> {
    const dog = createWatchdog(this.#timing.stallMs, Math.max(0, this.#relistAt - performance.now()));
    const [least, most] = this.#timing.watchSeconds;
    let live = false;
    try {
      const events = this.#options.client.watch(this.resource, {
        ...this.#scope(),
        resourceVersion: from,
        timeoutSeconds: Math.round(least + Math.random() * (most - least)),
        signal: AbortSignal.any([signal, dog.signal]),
        onBytes: () => {
          live = true;
          dog.fed();
          this.#lastContact = performance.now();
        },
      });
      for await (const event of events) this.#take(event);
      return { end: dog.verdict() ?? 'ended', live };
    } catch (error) {
      return { end: signal.aborted ? 'stopped' : (dog.verdict() ?? endOf(error)), error, live };
    } finally {
      dog.stop();
    }
  }

  #take({ type, object }: WatchEvent): void {
    if (type === 'DELETED') this.#cache.remove(object);
    else if (type !== 'BOOKMARK') this.#cache.put(object);
    this.#version = object.metadata.resourceVersion;
  }

  #decide(end: WatchEnd): void {
    this.#stalls = end === 'stalled' ? this.#stalls + 1 : 0;
    const cause = listCause(end, this.#stalls);
    if (cause === undefined) return;
    this.#version = undefined;
    this.#listCause = cause;
    this.#stalls = 0;
  }

  #scope(): { namespace: string | undefined; labelSelector: string | undefined } {
    return { namespace: this.#options.namespace, labelSelector: this.#options.labelSelector };
  }

  #report(event: Omit<ReflectorEvent, 'kind'>): void {
    this.#options.onEvent?.({ kind: this.resource.kind, ...event });
  }
}

/** For the selectors in use here: `key` or `key=value`. */
function isSelected({ metadata: { labels = {} } }: KubeObject, selector: string | undefined): boolean {
  if (selector === undefined) return true;
  const [key = '', value] = selector.split('=');
  return value === undefined ? Object.hasOwn(labels, key) : labels[key] === value;
}

/** Why the end of a watch calls for a list; undefined: the same version will do. */
function listCause(end: WatchEnd, stalls: number): ListCause | undefined {
  if (end === 'gone' || end === 'unreadable') return end;
  if (end === 'due') return 'periodic';
  return end === 'stalled' && stalls >= MAX_STALLS ? 'stalled' : undefined;
}

function endOf(error: unknown): WatchEnd {
  // 504: this server has never seen our version (etcd was restored), and asking again will not teach it.
  if (isGone(error) || (error instanceof KubeError && error.status === 504)) return 'gone';
  return error instanceof SyntaxError ? 'unreadable' : 'failed';
}

/** Aborts a watch that gives no byte for `stallMs`, or when the next full list is due. */
function createWatchdog(stallMs: number, dueMs: number) {
  const abort = new AbortController();
  let verdict: 'stalled' | 'due' | undefined;
  const bite = (why: 'stalled' | 'due') => () => {
    verdict = why;
    abort.abort(new Error(`watch ${why}`));
  };
  const stall = setTimeout(bite('stalled'), stallMs);
  const due = setTimeout(bite('due'), dueMs);
  return {
    signal: abort.signal,
    fed: () => stall.refresh(),
    verdict: () => verdict,
    stop() {
      clearTimeout(stall);
      clearTimeout(due);
    },
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    // Aborted: the loop looks at the signal itself.
  }
}

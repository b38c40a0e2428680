import type { ApiDiscovery } from './api-discovery.ts';
import { isNotFound } from './kube-error.ts';
import type { Reflector, ReflectorOptions } from './reflector.ts';
import { createReflector } from './reflector.ts';

/** A reflector of a kind that a cluster may lack: empty while it is not served. */
export type OptionalReflector<Kept> = Omit<Reflector<Kept>, 'synced'>;

/** Watches a kind as long as the API server serves it: starts when it appears, ends with it, without a restart. */
export function createOptionalReflector<Kept>(
  options: ReflectorOptions<Kept>,
  discovery: ApiDiscovery,
): OptionalReflector<Kept> {
  const { resource } = options;
  let inner: Reflector<Kept> | undefined;

  async function watchWhileServed(signal: AbortSignal): Promise<void> {
    const reflector = createReflector({
      ...options,
      onEvent: (event) => {
        if (isNotFound(event.error)) discovery.recheck();
        options.onEvent?.(event);
      },
    });
    inner = reflector;
    const gone = new AbortController();
    const running = reflector.run(AbortSignal.any([signal, gone.signal]));
    await until(discovery, () => !discovery.serves(resource), signal);
    gone.abort();
    await running;
    inner = undefined;
    for (const key of new Set(reflector.values().flatMap(options.keysOf))) options.onKey(key);
  }

  return {
    resource,
    get: (key) => inner?.get(key),
    values: () => inner?.values() ?? [],
    find: (term) => inner?.find(term) ?? [],
    get isSynced() {
      return inner?.isSynced ?? false;
    },
    staleMs: () => inner?.staleMs() ?? 0,
    assume: (object) => inner?.assume(object),
    expect: (name) => inner?.expect(name) ?? (() => undefined),
    async run(signal) {
      while (!signal.aborted) {
        await until(discovery, () => discovery.serves(resource), signal);
        if (!signal.aborted) await watchWhileServed(signal);
      }
    },
  };
}

/** Resolves once `holds` does, or the signal has aborted. */
function until(discovery: ApiDiscovery, holds: () => boolean, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const check = (): void => {
    if (signal.aborted || holds()) resolve();
  };
  const forget = discovery.onChange(check);
  signal.addEventListener('abort', check);
  check();
  return promise.finally(() => {
    forget();
    signal.removeEventListener('abort', check);
  });
}

import { Resolver } from 'node:dns/promises';
import { classifyDns } from './check-failure.ts';
import type { SrvRecord } from './discovery.ts';

/** DNS as the check uses it; what does not exist is an empty list, everything else a CheckFailure. */
export interface Dns {
  /** IPv4 addresses first: many clusters have no way out over IPv6. */
  addresses(host: string): Promise<readonly string[]>;
  srv(name: string): Promise<readonly SrvRecord[]>;
}

const TIMEOUT_MS = 2000;
const TRIES = 2;
const MAX_RECORDS = 32;

/**
 * The resolver of this machine, asked for absolute names: a search domain of the cluster must not turn a server name
 * into one of its Services. Ends with the signal.
 */
export function systemDns(signal: AbortSignal): Dns {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  signal.addEventListener('abort', () => resolver.cancel(), { once: true });
  async function ask<T>(work: () => Promise<T[]>): Promise<T[]> {
    signal.throwIfAborted();
    try {
      return (await work()).slice(0, MAX_RECORDS);
    } catch (error) {
      const failure = classifyDns(error, signal.aborted);
      if (failure !== undefined) throw failure;
      return [];
    }
  }
  return {
    async addresses(host) {
      // RFC 6761: never a question for DNS.
      if (host === 'localhost' || host.endsWith('.localhost')) return ['127.0.0.1'];
      const [four, six] = await Promise.allSettled([
        ask(() => resolver.resolve4(host)),
        ask(() => resolver.resolve6(host)),
      ]);
      const found = [four, six].flatMap((part) => (part.status === 'fulfilled' ? part.value : []));
      if (found.length === 0 && four.status === 'rejected') throw four.reason;
      return found;
    },
    srv: (name) => ask(() => resolver.resolveSrv(name)),
  };
}

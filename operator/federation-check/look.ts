import type { Subject } from './check.ts';
import { check } from './check.ts';
import { createAddressPolicy } from './addresses.ts';
import type { Ports } from './discovery.ts';
import { DEFAULT_PORTS } from './discovery.ts';
import type { Dns } from './dns.ts';
import { systemDns } from './dns.ts';
import type { Finding } from './finding.ts';

export interface LookSettings {
  /** CIDRs of addresses that may be connected to although they are not public. */
  readonly allowCidrs: readonly string[];
  readonly userAgent: string;
  /** [10,000] For everything that one look does. */
  readonly timeoutMs?: number;
  /** Authorities to believe, PEM. [the system's] */
  readonly ca?: string;
  /** [443 and 8448] */
  readonly ports?: Ports;
  /** [the system's] */
  readonly dns?: (signal: AbortSignal) => Dns;
}

const TIMEOUT_MS = 10_000;

/** One look at a subject, bounded in time; the function keeps nothing between two looks. */
export function createLook(
  settings: LookSettings,
  clock: () => number,
): (subject: Subject, stop?: AbortSignal) => Promise<Finding> {
  const isAllowed = createAddressPolicy(settings.allowCidrs);
  const { ca, userAgent, ports = DEFAULT_PORTS, dns = systemDns, timeoutMs = TIMEOUT_MS } = settings;
  return async (subject, stop) => {
    const late = new AbortController();
    const end = () => late.abort();
    stop?.addEventListener('abort', end, { once: true });
    const timer = setTimeout(end, timeoutMs);
    try {
      const outlook = { dns: dns(late.signal), isAllowed, ca, ports, userAgent, signal: late.signal };
      return await check(outlook, subject, clock());
    } finally {
      clearTimeout(timer);
      // Ends what a look left behind, such as a DNS question whose answer nobody waits for.
      end();
      stop?.removeEventListener('abort', end);
    }
  };
}

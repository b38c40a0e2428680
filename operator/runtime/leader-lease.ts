import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { KubeClient } from './kube-client.ts';
import { isAlreadyExists, isConflict } from './kube-error.ts';
import type { KubeObject, Resource } from './kube-object.ts';

export interface LeaderLeaseOptions {
  /** A client of its own with a short timeout (3 s), so that neither the rate limit nor a pause holds up a renewal. */
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly namespace: string;
  readonly name: string;
  /** Unique per process: the pod's name and a random part. */
  readonly identity: string;
  readonly onError: (error: unknown) => void;
  readonly timing?: Partial<LeaseTiming>;
}

export interface LeaseTiming {
  /** A holder that has not renewed for so long may be replaced. */
  readonly leaseMs: number;
  readonly renewMs: number;
  /** A holder that could not renew for so long stops its work: before anybody may replace it. */
  readonly giveUpMs: number;
}

export interface LeaderLease {
  /** Waits until this process leads; the signal given back aborts when the lease is lost. Rejects only when `stop` aborts. */
  acquire(stop: AbortSignal): Promise<AbortSignal>;
  readonly isLeader: boolean;
  /** Gives the lease up so that another takes it at once; never rejects. */
  release(): Promise<void>;
}

const LEASES: Resource = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};
const MANAGER = 'matrix-operator-lease';
const TIMING: LeaseTiming = { leaseMs: 10_000, renewMs: 2000, giveUpMs: 7000 };

const LeaseSpec = z.looseObject({
  holderIdentity: z.string().nullish(),
  leaseTransitions: z.int().nullish(),
});

/** Makes a lease that is not held; the lease only saves work, everything written is fenced by other means. */
export function createLeaderLease(options: LeaderLeaseOptions): LeaderLease {
  return new KubeLease(options);
}

/** What another process last wrote, and when we first saw it by our own monotonic clock. */
interface Seen {
  readonly version: string;
  readonly at: number;
}

type Attempt = 'ours' | 'theirs' | 'unknown';

class KubeLease implements LeaderLease {
  readonly #options: LeaderLeaseOptions;
  readonly #timing: LeaseTiming;
  #seen: Seen | undefined;
  #held: { lost: AbortController; renewal: Promise<void> } | undefined;

  constructor(options: LeaderLeaseOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
  }

  get isLeader(): boolean {
    return this.#held?.lost.signal.aborted === false;
  }

  async acquire(stop: AbortSignal): Promise<AbortSignal> {
    for (;;) {
      stop.throwIfAborted();
      const asked = performance.now();
      if ((await this.#attempt()) === 'ours') return this.#hold(asked);
      await sleep(this.#lookAfterMs(), undefined, { signal: stop });
    }
  }

  /**
   * The next look, at the latest just when the lease of another would be up. Jitter keeps candidates from colliding; a leader that
   * stops shall be followed within 3 s, the first run included.
   */
  #lookAfterMs(): number {
    const usual = this.#timing.renewMs * (0.6 + 0.3 * Math.random());
    const left = this.#seen === undefined ? usual : this.#seen.at + this.#timing.leaseMs - performance.now();
    return left <= 0 ? usual : Math.min(usual, left + 100 * Math.random());
  }

  async release(): Promise<void> {
    const held = this.#held;
    if (held === undefined) return;
    held.lost.abort(new Error('the lease was released'));
    this.#held = undefined;
    await held.renewal;
    try {
      const lease = await this.#read();
      if (lease !== undefined && holderOf(lease) === this.#options.identity) await this.#write(lease, '');
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #hold(renewedAt: number): AbortSignal {
    const lost = new AbortController();
    this.#held = { lost, renewal: this.#renew(lost, renewedAt) };
    return lost.signal;
  }

  /** Renews until the lease is lost. What counts is when a renewal was asked for, not when its answer came. */
  async #renew(lost: AbortController, renewedAt: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const rearm = (asked: number) => {
      clearTimeout(timer);
      const left = this.#timing.giveUpMs - (performance.now() - asked);
      timer = setTimeout(() => lost.abort(new Error('the lease could not be renewed in time')), Math.max(0, left));
    };
    rearm(renewedAt);
    let attempt: Attempt = 'ours';
    while (!lost.signal.aborted) {
      // One renewal without an answer must not cost the lease: there is time for another if it is asked for at once.
      const pauseMs = attempt === 'unknown' ? this.#timing.renewMs / 10 : this.#timing.renewMs;
      await sleep(pauseMs, undefined, { signal: lost.signal }).catch(() => undefined);
      if (lost.signal.aborted) break;
      const asked = performance.now();
      attempt = await this.#attempt();
      if (attempt === 'ours') rearm(asked);
      if (attempt === 'theirs') lost.abort(new Error('another process holds the lease'));
    }
    clearTimeout(timer);
  }

  async #attempt(): Promise<Attempt> {
    try {
      const lease = await this.#read();
      if (lease === undefined) return await this.#create();
      if (!this.#mayTake(lease)) return 'theirs';
      await this.#write(lease, this.#options.identity);
      return 'ours';
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error)) return 'unknown';
      this.#options.onError(error);
      return 'unknown';
    }
  }

  /** Ours, free, or not renewed for a whole lease since we first saw this version. No other process's clock is read. */
  #mayTake(lease: KubeObject): boolean {
    const holder = holderOf(lease);
    if (holder === this.#options.identity || holder === '') return true;
    const version = lease.metadata.resourceVersion;
    if (this.#seen?.version !== version) this.#seen = { version, at: performance.now() };
    return performance.now() - this.#seen.at > this.#timing.leaseMs;
  }

  #read(): Promise<KubeObject | undefined> {
    const { client, namespace, name } = this.#options;
    return client.get(LEASES, { namespace, name });
  }

  async #create(): Promise<Attempt> {
    const { client, namespace, name, identity } = this.#options;
    const { apiVersion, kind } = LEASES;
    const spec = { ...this.#spec(identity), leaseTransitions: 0, acquireTime: microTime() };
    await client.create(LEASES, { apiVersion, kind, metadata: { namespace, name }, spec }, MANAGER);
    return 'ours';
  }

  /** Guarded by the version that was read: of two who try at once one gets a 409. */
  async #write(lease: KubeObject, holder: string): Promise<void> {
    const before = LeaseSpec.parse(lease['spec'] ?? {});
    const changed = holder !== '' && holderOf(lease) !== holder;
    const transitions = (before.leaseTransitions ?? 0) + (changed ? 1 : 0);
    const acquired = changed ? { acquireTime: microTime() } : {};
    const spec = { ...before, ...this.#spec(holder), leaseTransitions: transitions, ...acquired };
    await this.#options.client.replace(LEASES, { ...lease, spec }, MANAGER);
  }

  #spec(holder: string): Record<string, unknown> {
    const leaseDurationSeconds = holder === '' ? 1 : Math.max(1, Math.round(this.#timing.leaseMs / 1000));
    return { holderIdentity: holder, leaseDurationSeconds, renewTime: microTime() };
  }
}

function holderOf(lease: KubeObject): string {
  return LeaseSpec.parse(lease['spec'] ?? {}).holderIdentity ?? '';
}

/** The API's MicroTime wants six digits after the point. */
function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}

import type { HomeserverConfig } from '../contract/config-schema.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { RoomWriter } from '../pipeline/room-writer.ts';
import type { Store } from '../storage/store.ts';
import type { TokenCache } from './token-cache.ts';

/** Limits on failed attempts, one key an account: `check` refuses when used up, `take` counts a failure. */
export interface AttemptLimits {
  check(limit: 'loginPerAccount', key: string): void;
  take(limit: 'loginPerAccount', key: string): void;
}

/** What the functions of this folder need; always their first argument. */
export interface AccountsContext {
  readonly config: HomeserverConfig;
  readonly store: Store;
  readonly writer: RoomWriter;
  readonly tokens: TokenCache;
  readonly limits: AttemptLimits;
  readonly log: Logger;
  readonly metrics: Metrics;
}

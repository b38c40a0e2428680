import type { HomeserverConfig } from '../contract/config-schema.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { StreamWriter } from '../pipeline/stream-writer.ts';
import type { Store } from '../storage/store.ts';
import type { SyncState } from './sync-state.ts';

/** What the functions of this folder need; always their first argument. */
export interface SyncContext {
  readonly config: HomeserverConfig;
  readonly store: Store;
  readonly writer: StreamWriter;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Made once per replica by `openSyncState`. */
  readonly sync: SyncState;
}

import type { HomeserverConfig } from '../contract/config-schema.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Keyring } from '../pipeline/keyring.ts';
import type { RoomWriter } from '../pipeline/room-writer.ts';
import type { StreamWriter } from '../pipeline/stream-writer.ts';
import type { MemberProfiles } from './member-profiles.ts';
import type { Store } from '../storage/store.ts';

/** What the functions of this folder need; always their first argument. */
export interface RoomsContext {
  readonly config: HomeserverConfig;
  readonly store: Store;
  readonly keyring: Keyring;
  readonly writer: RoomWriter & StreamWriter;
  readonly profiles: MemberProfiles;
  readonly log: Logger;
  readonly metrics: Metrics;
}

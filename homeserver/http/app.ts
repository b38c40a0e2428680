import type { z } from 'zod';
import type { AccountsContext } from '../accounts/context.ts';
import type { TurnService } from '../calls/turn-credentials.ts';
import type { KeyResponse, PublishedKeyring } from './server-server/key-response.ts';
import type { RoomReceiver } from '../pipeline/room-receiver.ts';
import type { RoomWriter } from '../pipeline/room-writer.ts';
import type { StreamWriter } from '../pipeline/stream-writer.ts';
import type { RoomsContext } from '../rooms/context.ts';
import type { SyncContext } from '../sync/context.ts';
import type { EndpointAuth, EndpointDefinition } from './endpoint.ts';
import type { RateLimiter } from './rate-limit.ts';

/** Everything that endpoint handlers reach; put together in commands/start-replica.ts, one per replica. */
export interface App extends AccountsContext, RoomsContext, SyncContext {
  readonly writer: RoomWriter & RoomReceiver & StreamWriter;
  readonly keyring: PublishedKeyring;
  readonly keyResponse: KeyResponse;
  readonly limits: RateLimiter;
  /** undefined: there is no TURN server. */
  readonly turn: TurnService | undefined;
  /** Version of this program. */
  readonly softwareVersion: string;
}

type Schema = z.ZodType | undefined;

/** An endpoint whose own types have been forgotten: what the server needs to serve it. */
export type AnyEndpoint = EndpointDefinition<App, EndpointAuth, Schema, Schema, Schema>;

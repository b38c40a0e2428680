import { createClient, type MatrixClient } from 'matrix-js-sdk';
import { type Logger, logger as globalLogger } from 'matrix-js-sdk/lib/logger.js';
import type { TestHomeserver } from './homeserver.ts';
import type { RoomClient } from './room-client.ts';
import { waitFor } from './wait-for.ts';

const silent = (): void => undefined;
const logger: Logger = {
  trace: silent,
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  getChild: () => logger,
};
// Parts of the SDK write to a logger of their own; its level can be set, which its type does not tell.
if ('setLevel' in globalLogger && typeof globalLogger.setLevel === 'function') {
  Reflect.apply(globalLogger.setLevel, globalLogger, ['silent', false]);
}

let requests = 0;

/** The SDK's client of a user, syncing, whose requests go to one replica after the other. The caller stops it. */
export async function startSyncing(server: TestHomeserver, { user }: RoomClient): Promise<MatrixClient> {
  const { userId, token: accessToken, deviceId } = user;
  const fetchFn: typeof fetch = (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    requests += 1;
    return fetch(server.url(requests % server.replicas.length) + url.pathname + url.search, init);
  };
  const syncing = createClient({ baseUrl: server.url(0), userId, accessToken, deviceId, logger, fetchFn });
  await syncing.startClient({ initialSyncLimit: 10, pollTimeout: 5000, threadSupport: true });
  await waitFor(() => syncing.isInitialSyncComplete(), { what: 'the first sync' });
  syncing.matrixRTC.stop();
  return syncing;
}

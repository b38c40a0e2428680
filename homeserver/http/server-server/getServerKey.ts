import { tryAgainLater } from '../../errors.ts';
import type { App } from '../app.ts';
import { endpoint, RawJson } from '../endpoint.ts';

/** This server's signing keys, signed by each. Errors: 503 M_UNKNOWN. Spec: server-server API, "Publishing Keys" (v1.19). */
export const getServerKey = endpoint({
  operationId: 'getServerKey',
  method: 'GET',
  path: '/_matrix/key/v2/server',
  // Older servers name the key they want; the answer has all of them anyway.
  aliases: ['/_matrix/key/v2/server/', '/_matrix/key/v2/server/:keyId'],
  auth: 'none',
  rateLimit: 'none',
  handle,
});

/**
 * A replica whose keyring is too old says so in place of giving it away: after a revocation others sign with a key that it does
 * not know, and whoever asks here for that key would take it for unknown, and the event for forged.
 */
function handle(app: App): Promise<RawJson> {
  if (app.keyring.generation < app.store.replica.keyringFloor) {
    throw tryAgainLater('This replica waits for its signing keys: try again soon.');
  }
  return Promise.resolve(new RawJson(app.keyResponse.text()));
}

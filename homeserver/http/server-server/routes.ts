import type { AnyEndpoint } from '../app.ts';
import { exchangeOpenIdToken } from './exchangeOpenIdToken.ts';
import { getServerKey } from './getServerKey.ts';
import { getVersion } from './getVersion.ts';
import { getWellKnown } from './getWellKnown.ts';

/** Every server-server endpoint that is served. */
export const SERVER_SERVER_ROUTES: readonly AnyEndpoint[] = [
  exchangeOpenIdToken,
  getServerKey,
  getVersion,
  getWellKnown,
];

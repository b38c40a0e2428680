import { newNonce } from '../../accounts/shared-secret.ts';
import type { App } from '../app.ts';
import { endpoint } from '../endpoint.ts';

/** A nonce for `registerWithSecret`. Errors: M_UNRECOGNIZED where that is off. Synapse admin API, "Shared-Secret Registration". */
export const registrationNonce = endpoint({
  operationId: 'registrationNonce',
  method: 'GET',
  path: '/_synapse/admin/v1/register',
  auth: 'none',
  rateLimit: 'registrationPerAddress',
  handle: async (app: App) => ({ nonce: await newNonce(app) }),
});

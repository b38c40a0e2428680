import type { SeenDevices } from '../accounts/seen-devices.ts';
import type { TokenCache } from '../accounts/token-cache.ts';
import { MatrixError } from '../errors.ts';
import type { Requester } from './endpoint.ts';

const BEARER = /^Bearer +([^ ]{1,1024})$/i;

/** From the Authorization header to the caller. Spec: client-server API, "Using access tokens" (v1.19). */
export class Authenticator {
  readonly #tokens: TokenCache;
  readonly #seen: SeenDevices;

  constructor(tokens: TokenCache, seen: SeenDevices) {
    this.#tokens = tokens;
    this.#seen = seen;
  }

  /** Errors: M_MISSING_TOKEN, M_UNKNOWN_TOKEN. */
  async requester(header: string | undefined, address: string): Promise<Requester> {
    const token = header === undefined ? undefined : BEARER.exec(header)?.[1];
    if (token === undefined) throw new MatrixError('M_MISSING_TOKEN');
    const owner = await this.#tokens.ownerOf(token);
    if (owner === undefined) throw new MatrixError('M_UNKNOWN_TOKEN');
    this.#seen.note(owner.deviceNo, address);
    return owner;
  }
}

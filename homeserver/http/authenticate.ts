import type { SeenDevices } from '../accounts/seen-devices.ts';
import type { TokenCache, TokenOwner } from '../accounts/token-cache.ts';
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

  /** The caller, at once if the token was looked up within a second. Errors: M_MISSING_TOKEN, M_UNKNOWN_TOKEN. */
  requester(header: string | undefined, address: string): Requester | Promise<Requester> {
    const token = header === undefined ? undefined : BEARER.exec(header)?.[1];
    if (token === undefined) throw new MatrixError('M_MISSING_TOKEN');
    const owner = this.#tokens.ownerOf(token);
    return owner instanceof Promise ? owner.then((found) => this.#admit(found, address)) : this.#admit(owner, address);
  }

  #admit(owner: TokenOwner | undefined, address: string): Requester {
    if (owner === undefined) throw new MatrixError('M_UNKNOWN_TOKEN');
    this.#seen.note(owner.deviceNo, address);
    return owner;
  }
}

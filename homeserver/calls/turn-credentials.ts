import { createHmac } from 'node:crypto';

/** A TURN server that shares a secret with us, as coturn does with `use-auth-secret`. */
export interface TurnService {
  readonly uris: readonly string[];
  readonly secret: string;
  readonly lifetimeSeconds: number;
}

export interface TurnCredentials {
  readonly username: string;
  readonly password: string;
  readonly uris: readonly string[];
  /** Seconds. */
  readonly ttl: number;
}

/**
 * Credentials that the TURN server can check by itself: the name holds when they end, the password is its HMAC-SHA1.
 * `nowMs` is Unix time. Spec: client-server API, "Voice over IP" (v1.19).
 */
export function turnCredentials(service: TurnService, userId: string, nowMs: number): TurnCredentials {
  const { uris, secret, lifetimeSeconds } = service;
  const username = `${Math.floor(nowMs / 1000) + lifetimeSeconds}:${userId}`;
  const password = createHmac('sha1', secret).update(username).digest('base64');
  return { username, password, uris, ttl: lifetimeSeconds };
}

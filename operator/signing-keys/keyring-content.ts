import { keyringPlace } from './key-states.ts';
import type { KeyState } from './key-states.ts';

/** A key as the ledger has it: public halves only. */
export interface LedgerRow {
  readonly name: string;
  readonly keyId: string;
  readonly publicKey: string;
  readonly state: KeyState;
  /** Unix ms since when the state holds. */
  readonly since: number;
  /** Unix ms since when every replica publishes it; undefined before that. */
  readonly visibleSince: number | undefined;
  /** Unix ms up to which its signatures count; Retired and Revoked keys have it, Retiring ones near their end. */
  readonly expiredTs: number | undefined;
  /** True when no private half is left, or there never was one here. */
  readonly isDestroyed: boolean;
}

/** What a keyring says, without private halves and generation. */
export interface KeyringContent {
  readonly serverName: string;
  readonly validitySeconds: number;
  readonly keys: readonly {
    readonly keyId: string;
    readonly publicKey: string;
    readonly state: 'published' | 'active' | 'retiring';
  }[];
  readonly oldKeys: readonly { readonly keyId: string; readonly publicKey: string; readonly expiredTs: number }[];
}

/** The keyring that follows from the ledger; never from the spec, so that a published key cannot vanish. */
export function keyringContent(
  of: { serverName: string; validitySeconds: number },
  rows: readonly LedgerRow[],
): KeyringContent {
  const sorted = [...rows].sort((a, b) => (a.keyId < b.keyId ? -1 : 1));
  const keys = sorted.flatMap(({ keyId, publicKey, state }) => {
    const place = keyringPlace(state);
    return place === 'absent' || place === 'old' ? [] : [{ keyId, publicKey, state: place }];
  });
  const oldKeys = sorted.flatMap(({ keyId, publicKey, state, expiredTs }) =>
    keyringPlace(state) === 'old' && expiredTs !== undefined ? [{ keyId, publicKey, expiredTs }] : [],
  );
  return { serverName: of.serverName, validitySeconds: of.validitySeconds, keys, oldKeys };
}

/** The same content gives the same text. */
export function contentText({ serverName, validitySeconds, keys, oldKeys }: KeyringContent): string {
  return JSON.stringify({
    serverName,
    validitySeconds,
    keys: keys.map(({ keyId, publicKey, state }) => ({ keyId, publicKey, state })),
    oldKeys: oldKeys.map(({ keyId, publicKey, expiredTs }) => ({ keyId, publicKey, expiredTs })),
  });
}

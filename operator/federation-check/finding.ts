import type { FederationFailure } from '../api/federation-status.ts';
import type { SeenKey } from './key-answer.ts';

/** A key of the ledger that other servers may see. */
export interface OwnKey extends SeenKey {
  /** Signs at present, so every other server must find it. */
  readonly isActive: boolean;
}

/** What one look from outside found. Holds nothing that another look at the same state would find different. */
export interface Finding {
  readonly kind: FederationFailure | 'KeysMatch';
  /** `Direct`, or the notary that was asked. */
  readonly vantage: string;
  /** Keys of a valid answer in code point order of their ids; absent when there was none. */
  readonly seen?: readonly SeenKey[];
  readonly delegatedTo?: string;
}

/** What the key state machine takes: key ids of a valid answer, or that there was none. */
export type Outside = { readonly keyIds: readonly string[] } | 'unreachable';

/** How a valid answer compares with the ledger. An old server that still answers comes before a key of ours that is missing. */
export function judge(seen: readonly SeenKey[], own: readonly OwnKey[]): Finding['kind'] {
  if (seen.some((key) => !own.some((ours) => isSame(ours, key)))) return 'ForeignKeys';
  const missing = own.some((ours) => ours.isActive && !seen.some((key) => isSame(ours, key)));
  return missing || own.length === 0 ? 'KeyNotVisible' : 'KeysMatch';
}

/** In one order, so that a server that shuffles its answer makes no difference. */
export function sortKeys(keys: readonly SeenKey[]): SeenKey[] {
  return keys.toSorted((a, b) => (a.keyId < b.keyId ? -1 : Number(a.keyId !== b.keyId)));
}

/** The finding as the key state machine sees it. */
export function outsideOf(finding: Finding): Outside {
  return finding.seen === undefined ? 'unreachable' : { keyIds: finding.seen.map(({ keyId }) => keyId) };
}

/** True when nobody could tell two findings apart from their effects. */
export function isSameFinding(a: Finding | undefined, b: Finding | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function isSame(a: SeenKey, b: SeenKey): boolean {
  return a.keyId === b.keyId && a.publicKey === b.publicKey;
}

import type { FoundKeys, FoundSecret, WantedKey, WantedKeys } from '../../operator/signing-keys/key-facts.ts';
import { contentText, keyringContent } from '../../operator/signing-keys/keyring-content.ts';
import type { LedgerRow } from '../../operator/signing-keys/keyring-content.ts';
import { planKeys } from '../../operator/signing-keys/plan-keys.ts';

/* Keys, rows and whole findings from which the tests of the key plan start. */

export const NOW = 1_800_000_000_000;
export const DAY = 86_400_000;
export const want = (name: string, state: WantedKey['state'], more: Partial<WantedKey> = {}): WantedKey => ({
  name,
  state,
  isBrought: false,
  compromisedAt: undefined,
  earlier: undefined,
  ...more,
});
export const wants = (...keys: WantedKey[]): WantedKeys => ({
  serverName: 'example.org',
  validitySeconds: 86_400,
  keys,
});
export const wanted = wants(want('k1', 'Active'));
export const key = { keyId: 'ed25519:aaaaaaaaaa', publicKey: 'A' };
export const other = { keyId: 'ed25519:bbbbbbbbbb', publicKey: 'B' };
export const rowOf = (more: Partial<LedgerRow>): LedgerRow => ({
  ...key,
  name: 'k1',
  state: 'Active',
  since: 1,
  visibleSince: undefined,
  expiredTs: undefined,
  isDestroyed: false,
  ...more,
});
export const row = rowOf({});
export const secretOf = (one: typeof key, state: LedgerRow['state'], expiredTs?: number): FoundSecret => ({
  ...one,
  remembers: { state, expiredTs },
});
export const content = contentText(keyringContent(wanted, [row]));
export const nothing: FoundKeys = {
  serverName: 'example.org',
  now: NOW,
  secrets: new Map(),
  brought: new Map(),
  rows: [],
  decided: undefined,
  keyring: undefined,
  known: [],
  signing: undefined,
  usedElsewhere: new Map(),
  outside: undefined,
};
export const decided = { generation: 4, content, at: NOW, restarted: 0 };
export const keyring = {
  generation: 4,
  content,
  keys: [key],
  states: new Map([['A', 'Active' as const]]),
  sound: true,
};
export const complete: FoundKeys = {
  ...nothing,
  secrets: new Map([['k1', secretOf(key, 'Active')]]),
  rows: [row],
  decided,
  keyring,
  known: [{ ...key, name: 'k1', remembers: { state: 'Active', expiredTs: undefined } }],
};
export const noSecret: FoundKeys = { ...complete, secrets: new Map() };
export const outcome = (found: FoundKeys, of = wanted) => {
  const plan = planKeys(of, found);
  return plan.problem?.reason ?? plan.action ?? 'nothing to do';
};

/** Two keys: k1 signs, k2 is next; both in the keyring of generation 4, which every replica has. */
export const both = wants(want('k1', 'Retired'), want('k2', 'Active'));
export const k2 = (more: Partial<LedgerRow>) =>
  rowOf({ ...other, name: 'k2', state: 'Published', visibleSince: 1, ...more });
export const replica = { id: 'r1', isLive: true, generation: 4, clock: NOW, heartbeat: NOW, lastSigned: {} };
export const signing = { replicas: [replica], floor: { generation: 4, at: NOW - 10_000 }, lastSigned: {} };

/** Everything in place for these rows: Secrets, decided, written, taken. */
export function settled(rows: LedgerRow[], of: WantedKeys, more: Partial<FoundKeys> = {}): FoundKeys {
  const text = contentText(keyringContent(of, rows));
  const isOld = ({ state }: LedgerRow) => state === 'Retired' || state === 'Revoked';
  const ends = (one: LedgerRow) => secretOf(one, one.state, isOld(one) ? one.expiredTs : undefined);
  return {
    ...nothing,
    rows,
    secrets: new Map(rows.filter(({ isDestroyed }) => !isDestroyed).map((one) => [one.name, ends(one)])),
    decided: { ...decided, content: text },
    keyring: { ...keyring, content: text, keys: rows.filter((one) => !isOld(one)) },
    signing,
    ...more,
  };
}

/** A finding and what comes of it: an action, the reason of a problem, or 'nothing to do'. */
export interface Case {
  name: string;
  of?: WantedKeys;
  found: FoundKeys;
  is: object | string;
}

export const revoked = wants(want('k1', 'Revoked', { compromisedAt: 7 }), want('k2', 'Active'));
export const retiring = rowOf({ state: 'Retiring', since: NOW - 1000 });
export const active2 = k2({ state: 'Active' });
export const T1 = DAY / 2 + 300_000;

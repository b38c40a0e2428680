import type { FoundKeys, FoundSecret, KeyAction, KnownKey, PublicKey, Refusal, Remembered } from './key-facts.ts';
import type { UnreadableKey, WantedKey } from './key-facts.ts';
import { badImport, lost, nameInUse, notListed, otherBytes, otherEarlier, otherId } from './key-refusals.ts';
import { twinOf, unknownKey, unusable, usedBy } from './key-refusals.ts';
import { isOver, rankOf } from './key-states.ts';
import type { KeyState } from './key-states.ts';
import type { LedgerRow } from './keyring-content.ts';

/** What one key needs before its state may move: bytes that are safe and a row in the ledger. */
export type KeyStep =
  | { readonly action: KeyAction; readonly problem?: undefined }
  | { readonly action?: undefined; readonly problem: Refusal | undefined };

const act = (action: KeyAction): KeyStep => ({ action });
const stop = (problem: Refusal): KeyStep => ({ problem });
const NOTHING: KeyStep = { problem: undefined };

/** Secret before ledger. A key is drawn only when nothing at all says that it was there before. */
export function planKeyBytes(name: string, wanted: WantedKey | undefined, found: FoundKeys): KeyStep {
  const row = found.rows.find((one) => one.name === name);
  if (wanted === undefined) return row === undefined ? NOTHING : planUnlisted(row, found);
  if (wanted.earlier !== undefined && (row === undefined || row.isDestroyed)) return planEarlier(wanted, row, found);
  if (row !== undefined) return planRecorded(row, wanted, found);
  const secret = found.secrets.get(name);
  if (secret === undefined) return planMissing(wanted, found);
  return 'unreadable' in secret ? stop(unusable(name, secret)) : planNew(wanted, secret, found);
}

/** Only a key that nobody ever saw may be taken out of the spec; it is taken out of the world with it. */
function planUnlisted(row: LedgerRow, found: FoundKeys): KeyStep {
  const { name, state } = row;
  if (state === 'Staged') return act({ kind: found.secrets.has(name) ? 'destroy' : 'forget', name });
  return state === 'Published' || state === 'Active' ? stop(notListed(row)) : NOTHING;
}

function planEarlier({ name, state, earlier }: WantedKey, row: LedgerRow | undefined, found: FoundKeys): KeyStep {
  if (earlier === undefined) return NOTHING;
  const { keyId, publicKey, expiredTs } = earlier;
  if (row !== undefined) {
    return row.keyId === keyId && row.publicKey === publicKey ? NOTHING : stop(otherEarlier(row));
  }
  const problem = conflictOf(name, earlier, found);
  if (problem !== undefined) return stop(problem);
  // A revoked one goes through Retired: the revocation itself lowers the time.
  const first = state === 'Revoked' ? 'Retired' : state;
  return act({ kind: 'record', name, key: { keyId, publicKey }, state: first, expiredTs, isEarlier: true });
}

/** In a Secret but not in the ledger: made just now, or the database was restored from an older backup. */
function planNew(wanted: WantedKey, secret: FoundSecret, found: FoundKeys): KeyStep {
  const { name } = wanted;
  const { keyId, publicKey } = secret;
  const status = found.known.find((key) => key.name === name);
  if (status !== undefined && status.publicKey !== publicKey) return stop(otherBytes(name, status.publicKey));
  const problem = conflictOf(name, secret, found);
  if (problem !== undefined) return stop(problem);
  const remembered = later(secret.remembers, status?.remembers) ?? inKeyring(secret, found);
  const { state, expiredTs } = remembered ?? { state: firstState(wanted, found), expiredTs: undefined };
  return act({ kind: 'record', name, key: { keyId, publicKey }, state, expiredTs });
}

/** Nobody knows the server yet, so its first key signs at once. */
function firstState({ state }: WantedKey, { rows }: FoundKeys): KeyState {
  return state === 'Active' && !rows.some((row) => row.state === 'Active') ? 'Active' : 'Staged';
}

/** No Secret and no row. */
function planMissing(wanted: WantedKey, found: FoundKeys): KeyStep {
  const { name } = wanted;
  const status = found.known.find((key) => key.name === name);
  const bytes = unaccounted(name, status?.publicKey, found);
  if (bytes !== undefined) return act({ kind: 'restore', name, key: bytes });
  if (status !== undefined) return planRemembered(status);
  if (wanted.state === 'Retired' || wanted.state === 'Revoked') return stop(unknownKey(name, wanted.state));
  if (found.rows.length === 0 && (found.keyring !== undefined || found.decided !== undefined)) {
    return stop(lost(name, undefined));
  }
  return wanted.isBrought ? planImport(name, found) : planMint(wanted, found);
}

/** Only status knows it: one that signs no more is taken from there, the private half of another is nowhere. */
function planRemembered({ name, keyId, publicKey, remembers }: KnownKey): KeyStep {
  if (remembers === undefined || !isOver(remembers.state)) return stop(lost(name, keyId));
  return act({ kind: 'record', name, key: { keyId, publicKey }, ...remembers });
}

/** The first key signs at once, and its Secret says so from the start: one write less of each new server. */
function planMint(wanted: WantedKey, found: FoundKeys): KeyStep {
  const { name } = wanted;
  const foreign = foreignKeys(found, undefined);
  if (foreign !== undefined) return stop(foreign);
  if (firstState(wanted, found) !== 'Active') return act({ kind: 'mint', name });
  return act({ kind: 'mint', name, remembers: { state: 'Active', expiredTs: undefined } });
}

function planImport(name: string, found: FoundKeys): KeyStep {
  const key = found.brought.get(name);
  if (key === undefined) return NOTHING;
  if ('unreadable' in key) return stop(badImport(name, key));
  const problem = conflictOf(name, key, found) ?? foreignKeys(found, key.keyId);
  return problem === undefined ? act({ kind: 'import', name }) : stop(problem);
}

/** Before its first key, a server whose name answers already with keys of somebody else must not answer with ours too. */
function foreignKeys({ rows, outside, serverName }: FoundKeys, own: string | undefined): Refusal | undefined {
  const hasSigned = rows.some(({ state, isDestroyed }) => state !== 'Staged' && !isDestroyed);
  if (hasSigned || outside === undefined || outside === 'unreachable') return undefined;
  const foreign = outside.keyIds.filter((id) => id !== own && !rows.some(({ keyId }) => keyId === id));
  return foreign.length === 0 ? undefined : nameInUse(serverName, foreign);
}

function planRecorded(row: LedgerRow, wanted: WantedKey, found: FoundKeys): KeyStep {
  const { name, keyId, publicKey } = row;
  const secret = found.secrets.get(name);
  const status = found.known.find((key) => key.name === name && key.publicKey === publicKey);
  const remembered = later(rememberedBy(secret, publicKey), status?.remembers);
  if (remembered !== undefined && rankOf(remembered.state) > rankOf(row.state)) {
    return act({ kind: 'record', name, key: { keyId, publicKey }, ...remembered });
  }
  if (isOver(row.state)) return NOTHING;
  const other = found.usedElsewhere.get(publicKey);
  if (other !== undefined) return stop(usedBy(name, other));
  return secret === undefined ? planLost(row, wanted, found) : checkSecret(row, secret);
}

function rememberedBy(secret: FoundSecret | UnreadableKey | undefined, publicKey: string): Remembered | undefined {
  return secret !== undefined && 'publicKey' in secret && secret.publicKey === publicKey ? secret.remembers : undefined;
}

function checkSecret({ name, keyId, publicKey }: LedgerRow, secret: FoundSecret | UnreadableKey): KeyStep {
  if ('unreadable' in secret) return stop(unusable(name, secret));
  if (secret.publicKey !== publicKey) return stop(otherBytes(name, publicKey));
  return secret.keyId === keyId ? NOTHING : stop(otherId(name, keyId, secret.keyId));
}

/** The Secret of a recorded key is gone: it is made again from wherever the bytes still are. */
function planLost(row: LedgerRow, wanted: WantedKey, found: FoundKeys): KeyStep {
  const { name, keyId, publicKey, state } = row;
  if (found.keyring?.keys.some((key) => key.publicKey === publicKey) === true) {
    return act({ kind: 'restore', name, key: { keyId, publicKey } });
  }
  const brought = found.brought.get(name);
  if (brought !== undefined && 'publicKey' in brought && brought.publicKey === publicKey) {
    return act({ kind: 'import', name });
  }
  if (state === 'Staged') return act({ kind: 'forget', name });
  return wanted.state === 'Retired' || wanted.state === 'Revoked' ? NOTHING : stop(lost(name, keyId));
}

/** Another key with the same id or the same bytes: of this server, or of an older resource. */
function conflictOf(name: string, { keyId, publicKey }: PublicKey, found: FoundKeys): Refusal | undefined {
  const twin = found.rows.find((row) => row.keyId === keyId || row.publicKey === publicKey);
  if (twin !== undefined) return twinOf(name, twin);
  const other = found.usedElsewhere.get(publicKey);
  return other === undefined ? undefined : usedBy(name, other);
}

/** Bytes in the keyring that can only be this key's: by status, or because all others have a row or a Secret. */
function unaccounted(name: string, published: string | undefined, found: FoundKeys): PublicKey | undefined {
  const kept = found.keyring?.keys ?? [];
  if (published !== undefined) return kept.find(({ publicKey }) => publicKey === published);
  const taken = new Set([
    ...found.rows.map(({ publicKey }) => publicKey),
    ...found.known.filter((key) => key.name !== name).map(({ publicKey }) => publicKey),
    ...[...found.secrets.values()].flatMap((secret) => ('publicKey' in secret ? [secret.publicKey] : [])),
  ]);
  const left = kept.filter(({ publicKey }) => !taken.has(publicKey));
  return left.length === 1 ? left[0] : undefined;
}

/** The ledger is empty or older than the keyring, and nothing else remembers the key's state. */
function inKeyring({ publicKey }: PublicKey, { keyring }: FoundKeys): Remembered | undefined {
  const entry = keyring?.states.get(publicKey);
  return entry === undefined ? undefined : { state: entry, expiredTs: undefined };
}

function later(a: Remembered | undefined, b: Remembered | undefined): Remembered | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return rankOf(b.state) > rankOf(a.state) ? b : a;
}

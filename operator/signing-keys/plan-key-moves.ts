import type { FoundKeys, KeyAction, KeyMove, KeyWait, Refusal, WantedKey } from './key-facts.ts';
import { wentOn } from './key-refusals.ts';
import { isOver, rankOf } from './key-states.ts';
import type { KeyWaits } from './key-times.ts';
import type { LedgerRow } from './keyring-content.ts';

/** A key of the ledger with what the spec wants of it. */
interface Listed {
  readonly row: LedgerRow;
  readonly wanted: WantedKey;
  /** Its bytes are at hand and nothing is wrong with them. */
  readonly isSound: boolean;
}

export interface MovesInput {
  readonly keys: readonly WantedKey[];
  readonly found: FoundKeys;
  readonly waits: KeyWaits;
  /** Names of keys that something is wrong with. */
  readonly troubled: ReadonlySet<string>;
}

export interface Moves {
  readonly action?: KeyAction;
  readonly problem?: Refusal | undefined;
  readonly waits: readonly KeyWait[];
}

/**
 * The next step of any key towards its goal, one state at a time. A revocation comes first; the key that signs leaves
 * in the same transaction in which its successor comes, so there is always one.
 */
export function planKeyMoves(input: MovesInput): Moves {
  const listed = listKeys(input);
  const problem = listed.map(illegal).find((found) => found !== undefined);
  const succession = planSuccession(listed, input);
  if (succession.action !== undefined) return succession;
  for (const key of listed) {
    const move = planMove(key, input);
    if (move !== undefined) return { action: { kind: 'move', moves: [move] }, waits: [] };
  }
  return { problem, waits: succession.waits };
}

function listKeys({ keys, found, troubled }: MovesInput): Listed[] {
  return found.rows.flatMap((row) => {
    const wanted = keys.find(({ name }) => name === row.name);
    if (wanted === undefined) return [];
    return [{ row, wanted, isSound: !troubled.has(row.name) && hasBytes(row, found) }];
  });
}

/** Whether the private half of a key is in its Secret or in the keyring. */
export function hasBytes({ name, publicKey }: LedgerRow, { secrets, keyring }: FoundKeys): boolean {
  const secret = secrets.get(name);
  if (secret !== undefined && 'publicKey' in secret && secret.publicKey === publicKey) return true;
  return keyring?.keys.some((key) => key.publicKey === publicKey) === true;
}

/** A goal behind the state: only a resource that was made again can ask for it. */
function illegal({ row, wanted }: Listed): Refusal | undefined {
  const passed = rankOf(row.state) > rankOf(wanted.state);
  const isOnTheWay = row.state === 'Retiring' && wanted.state === 'Retired';
  return passed && !isOnTheWay ? wentOn(row, wanted.state) : undefined;
}

/** Brings the key that shall sign into its place, and the one that signs out of it. */
function planSuccession(listed: readonly Listed[], input: MovesInput): Moves {
  const next = listed.find(({ wanted }) => wanted.state === 'Active');
  if (next === undefined || !next.isSound || rankOf(next.row.state) >= rankOf('Active')) return { waits: [] };
  const current = listed.filter(({ row }) => row.state === 'Active');
  if (hasForgotten(input, listed) || current.some(({ wanted }) => !isOver(wanted.state))) return { waits: [] };
  const activate: KeyMove = { name: next.row.name, to: 'Active' };
  const leave = current.map((key): KeyMove => leaveUse(key, input.found.now));
  const act = (): Moves => ({ action: { kind: 'move', moves: [activate, ...leave] }, waits: [] });
  if (!current.some((key) => key.wanted.state === 'Retired' && hasBytes(key.row, input.found))) return act();
  if (next.row.state === 'Staged') {
    return { action: { kind: 'move', moves: [{ name: next.row.name, to: 'Published' }] }, waits: [] };
  }
  const wait = waitBeforeUse(next.row, input);
  return wait === undefined ? act() : { waits: [wait] };
}

/** A key that signs but is not listed: nothing may take its place until somebody says what becomes of it. */
function hasForgotten({ found }: MovesInput, listed: readonly Listed[]): boolean {
  return found.rows.some(({ state, name }) => state === 'Active' && !listed.some(({ row }) => row.name === name));
}

function leaveUse({ row, wanted }: Listed, now: number): KeyMove {
  const { name } = row;
  return wanted.state === 'Revoked'
    ? { name, to: 'Revoked', expiredTs: revokedAt(row, wanted, now) }
    : { name, to: 'Retiring' };
}

/** T1: what stands between a published key and its use; undefined when nothing does. */
function waitBeforeUse(row: LedgerRow, { found, waits }: MovesInput): KeyWait | undefined {
  const { name, keyId, visibleSince } = row;
  const wait = (message: string, until?: number): KeyWait => ({ name, message, until, isProgress: true });
  if (visibleSince === undefined) return wait(`${keyId} is being published by the replicas before it signs`);
  const until = visibleSince + waits.publishMs;
  if (found.now < until) return wait(`${keyId} is published and signs once other servers can know it`, until);
  const { outside } = found;
  if (outside === undefined || outside === 'unreachable' || outside.keyIds.includes(keyId)) return undefined;
  return wait(`${keyId} is published, but the server name still answers other servers without it`);
}

/** Every move but the succession. */
function planMove({ row, wanted }: Listed, { found }: MovesInput): KeyMove | undefined {
  const { name, state } = row;
  // Two that sign: a restored database did not know that one of them had left.
  const isAlone = !found.rows.some((other) => other.state === 'Active' && other.name !== name);
  if (state === 'Active' && (isAlone || !isOver(wanted.state))) return undefined;
  if (wanted.state === 'Revoked') return revoke(row, wanted, found.now);
  if (wanted.state === 'Retired') return retire(row, found.now);
  return wanted.state === 'Published' && state === 'Staged' ? { name, to: 'Published' } : undefined;
}

function retire({ name, state, expiredTs }: LedgerRow, now: number): KeyMove | undefined {
  switch (state) {
    case 'Staged':
      return { name, to: 'Retired', expiredTs: now };
    case 'Published':
    case 'Active':
      return { name, to: 'Retiring' };
    case 'Retiring':
      return expiredTs !== undefined && expiredTs < now ? { name, to: 'Retired' } : undefined;
    case 'Retired':
    case 'Revoked':
      return undefined;
  }
}

/** The key that signs is revoked together with its succession; every other at once, and only ever to an earlier time. */
function revoke(row: LedgerRow, wanted: WantedKey, now: number): KeyMove | undefined {
  const { name, state, expiredTs } = row;
  const at = revokedAt(row, wanted, now);
  if (state === 'Revoked' && expiredTs !== undefined && expiredTs <= at) return undefined;
  return { name, to: 'Revoked', expiredTs: at };
}

function revokedAt({ expiredTs }: LedgerRow, { compromisedAt }: WantedKey, now: number): number {
  return Math.max(1, Math.min(expiredTs ?? now, compromisedAt ?? now, now));
}

import type { FoundKeys, KeyAction, KeyWait, Refusal, Remembered } from './key-facts.ts';
import { hasBytes } from './plan-key-moves.ts';
import { isOver } from './key-states.ts';
import { lost } from './key-refusals.ts';
import { contentText, keyringContent } from './keyring-content.ts';
import type { KeyringContent, LedgerRow } from './keyring-content.ts';

/** What the keyring still needs; neither action, problem nor wait: it is in place. */
export interface KeyringStep {
  readonly action?: KeyAction;
  readonly problem?: Refusal;
  readonly wait?: KeyWait;
}

/** Secrets note what the ledger says, then the keyring is decided on in the ledger, then it is written. */
export function planKeyring(
  of: { readonly serverName: string; readonly validitySeconds: number },
  found: FoundKeys,
): KeyringStep {
  const note = planNote(found);
  if (note !== undefined) return { action: note };
  const { rows, decided } = found;
  // Between two moves nobody signs, or two do: such a keyring is never written.
  if (rows.filter(({ state }) => state === 'Active').length !== 1) return { problem: nobodySigns() };
  const content = keyringContent(of, rows);
  const text = contentText(content);
  if (isWritten(text, found)) return {};
  const missing = rows.find((row) => needsBytes(row) && !hasBytes(row, found));
  if (missing !== undefined) return { problem: lost(missing.name, missing.keyId) };
  if (decided?.content !== text) return { action: { kind: 'decide', generation: lastGeneration(found) + 1, content } };
  return planWrite(decided.generation, content, found);
}

/** The Secret says what was decided, and what was decided is what the ledger says. */
function isWritten(text: string, { decided, keyring }: FoundKeys): boolean {
  if (decided?.content !== text || keyring?.sound !== true) return false;
  return keyring.content === text && keyring.generation === decided.generation;
}

/** The Secret outlives the database's backups: after a restore its word counts if it is the later one. */
function planNote({ rows, secrets }: FoundKeys): KeyAction | undefined {
  for (const { name, state, expiredTs, publicKey, isDestroyed } of rows) {
    const secret = secrets.get(name);
    if (isDestroyed || secret === undefined || !('publicKey' in secret) || secret.publicKey !== publicKey) continue;
    // An end that is not published yet may still be fixed anew after a restore.
    const remembers = { state, expiredTs: isOver(state) ? expiredTs : undefined };
    if (!isEqual(secret.remembers, remembers)) return { kind: 'note', name, remembers };
  }
  return undefined;
}

function isEqual(a: Remembered | undefined, b: Remembered): boolean {
  return a?.state === b.state && a.expiredTs === b.expiredTs;
}

/** A key that is lost while it retires is published without its private half: it signs nothing any more. */
function needsBytes({ state }: LedgerRow): boolean {
  return state === 'Published' || state === 'Active';
}

/**
 * Before a revocation is published nobody may sign with the revoked key any more: whoever learned of the revocation
 * would refuse what is signed after it. So replicas without the new keyring stop signing first.
 */
function planWrite(generation: number, content: KeyringContent, found: FoundKeys): KeyringStep {
  const write: KeyringStep = { action: { kind: 'write', generation, content } };
  const { rows, signing } = found;
  const isRevoking = rows.some(({ state, isDestroyed }) => state === 'Revoked' && !isDestroyed);
  if (!isRevoking || signing === undefined) return write;
  const { floor, replicas } = signing;
  if (floor.generation < generation) return { action: { kind: 'floor', generation } };
  const unaware = replicas.filter((one) => one.isLive && one.generation < generation && one.heartbeat <= floor.at);
  if (unaware.length === 0) return write;
  const message = `${unaware.length} replicas stop signing with the revoked key before its revocation is published`;
  return { wait: { message, until: undefined, isProgress: true } };
}

/** A restored ledger may be behind what replicas have seen; a generation never stands for two keyrings. */
function lastGeneration({ decided, keyring, signing }: FoundKeys): number {
  const seen = (signing?.replicas ?? []).map(({ generation }) => generation);
  return Math.max(decided?.generation ?? 0, keyring?.generation ?? 0, signing?.floor.generation ?? 0, ...seen);
}

function nobodySigns(): Refusal {
  return { reason: 'KeyLost', message: 'no key can sign: see the key whose state shall be Active' };
}

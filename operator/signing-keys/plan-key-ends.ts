import type { FoundKeys, KeyAction, KeyWait, Refusal, ReplicaFacts } from './key-facts.ts';
import { clockSkew } from './key-refusals.ts';
import { DEAD_MS, EXPIRY_MARGIN_MS, MAX_SKEW_MS, RESTART_AFTER_MS, STUCK_AFTER_MS } from './key-times.ts';
import type { KeyWaits } from './key-times.ts';
import type { LedgerRow } from './keyring-content.ts';

/** What is left to do once the keyring is in place. */
export interface Ends {
  readonly action?: KeyAction;
  readonly problem?: Refusal | undefined;
  readonly waits: readonly KeyWait[];
  readonly isStuck?: boolean;
}

/** What the replicas' taking of the keyring of `generation` allows: visible keys, ends of old ones, destroyed halves. */
export function planKeyEnds(generation: number, found: FoundKeys, waits: KeyWaits): Ends {
  const destroy = planDestroy(found, waits);
  if (destroy.action !== undefined) return destroy;
  const live = (found.signing?.replicas ?? []).filter(({ isLive }) => isLive);
  const behind = live.filter((replica) => replica.generation < generation);
  const taken = behind.length > 0 ? planBehind(behind, found) : planTaken(generation, live.length, found);
  return { ...taken, waits: [...taken.waits, ...destroy.waits] };
}

/** T4, and at once for a revoked key: the Secret first, then the ledger's word that nothing is left. */
function planDestroy({ rows, secrets, now }: FoundKeys, { destroyMs }: KeyWaits): Ends {
  const waits: KeyWait[] = [];
  for (const { name, keyId, state, since, isDestroyed } of rows) {
    if (isDestroyed || (state !== 'Retired' && state !== 'Revoked')) continue;
    const until = state === 'Revoked' ? now : since + destroyMs;
    if (until <= now) return { action: { kind: secrets.has(name) ? 'destroy' : 'destroyed', name }, waits: [] };
    waits.push({ name, message: `the private half of ${keyId} is kept`, until, isProgress: false });
  }
  return { waits };
}

/** Some replicas work with an older keyring: they are given time, then replaced, then somebody is called. */
function planBehind(behind: readonly ReplicaFacts[], { decided, now, rows }: FoundKeys): Ends {
  if (decided === undefined) return { waits: [] };
  const sinceMs = now - decided.at;
  if (sinceMs >= RESTART_AFTER_MS && decided.restarted < decided.generation) {
    return { action: { kind: 'restart', generation: decided.generation }, waits: [] };
  }
  const names = behind
    .slice(0, 3)
    .map(({ id }) => id)
    .join(', ');
  const message = `${behind.length} replicas have not taken keyring ${decided.generation} yet (${names})`;
  const isProgress = rows.some((row) => row.state === 'Retiring' || isToBeSeen(row));
  return { waits: [{ message, until: undefined, isProgress }], isStuck: sinceMs >= STUCK_AFTER_MS };
}

/** T2 is reached: every replica that lives works with this keyring. */
function planTaken(generation: number, liveCount: number, found: FoundKeys): Ends {
  const names = found.rows.filter(isToBeSeen).map(({ name }) => name);
  // Without a replica nobody publishes anything.
  if (names.length > 0 && liveCount > 0) return { action: { kind: 'visible', names }, waits: [] };
  const waits: KeyWait[] = [];
  let problem: Refusal | undefined;
  for (const row of found.rows.filter(({ state }) => state === 'Retiring')) {
    const end = planEnd(row, generation, found);
    if (end.action !== undefined) return end;
    problem ??= end.problem;
    waits.push(...end.waits);
  }
  return { problem, waits };
}

function isToBeSeen({ state, visibleSince }: LedgerRow): boolean {
  return state === 'Published' && visibleSince === undefined;
}

/**
 * T3: `expired_ts` of a key that no longer signs. First nobody may sign with an older keyring any more, whoever was
 * silent just now included; then all signatures are known, or bounded by a clock.
 */
function planEnd({ name, keyId, expiredTs }: LedgerRow, generation: number, found: FoundKeys): Ends {
  const { now, signing } = found;
  if (expiredTs !== undefined) {
    const message = `${keyId} signs no more and becomes Retired when its last signature is old enough`;
    return { waits: [{ name, message, until: expiredTs + 1, isProgress: true }] };
  }
  if (signing === undefined) return { action: { kind: 'expire', name, expiredTs: now + EXPIRY_MARGIN_MS }, waits: [] };
  if (signing.floor.generation < generation) return { action: { kind: 'floor', generation }, waits: [] };
  const skewed = signing.replicas.find((replica) => replica.isLive && Math.abs(skewOf(replica)) > MAX_SKEW_MS);
  if (skewed !== undefined) return { problem: clockSkew(skewed.id, skewOf(skewed)), waits: [] };
  const last = Math.max(
    now,
    signing.lastSigned[keyId] ?? 0,
    ...signing.replicas.map((one) => lastSignature(one, keyId)),
  );
  return { action: { kind: 'expire', name, expiredTs: last + EXPIRY_MARGIN_MS }, waits: [] };
}

function skewOf({ clock, heartbeat }: ReplicaFacts): number {
  return clock - heartbeat;
}

/** A process that died may have signed after its last word, for as long as it could pass for alive. */
function lastSignature({ isLive, clock, lastSigned }: ReplicaFacts, keyId: string): number {
  return Math.max(lastSigned[keyId] ?? 0, isLive ? 0 : clock + DEAD_MS);
}

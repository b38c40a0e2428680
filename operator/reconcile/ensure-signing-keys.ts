import type { Spec } from '../api/matrix-homeserver.ts';
import type { Status } from '../api/status.ts';
import type { DatabaseLogin } from '../database/connect.ts';
import type { Outside } from '../federation-check/finding.ts';
import type { KeysReport, WantedKeys } from '../signing-keys/ensure-keys.ts';
import { ensureKeys } from '../signing-keys/ensure-keys.ts';
import { readRemembered } from '../signing-keys/key-secret.ts';
import { createKeyStore } from './key-store.ts';
import { keysElsewhere } from './keys-elsewhere.ts';
import type { Blocked, StepContext, StepResult, Waiting } from './step.ts';
import { blocked, done, refused, waiting } from './step.ts';

/** Keys that replicas can start on; `progress` says what is still missing to the spec. */
export interface ReadyKeys extends KeysReport {
  readonly progress: Waiting | Blocked | undefined;
}

/**
 * Brings keys, ledger and keyring towards the wanted state. Refuses where no keyring can be: KeyLost, KeyMismatch,
 * KeyIDConflict, KeyReuse, KeyUnknown, WeakKey, ServerNameInUse, SecretMissing. `outside`: what the name answers to the
 * world, where somebody looked.
 */
export async function ensureSigningKeys(
  ctx: StepContext,
  login: DatabaseLogin,
  outside?: Outside,
): Promise<StepResult<ReadyKeys>> {
  const result = await ensureKeys({
    login,
    wanted: wantedKeys(ctx.homeserver.spec),
    store: createKeyStore(ctx),
    known: knownKeys(ctx.homeserver.status),
    usedElsewhere: keysElsewhere(ctx),
    outside,
    waitDivisor: ctx.env.settings.keyWaitDivisor,
  });
  if (!result.ok) return refused(result.refusal.reason, result.refusal.message);
  // Names of keys and states, never a key.
  for (const change of result.changes) ctx.log.info({ step: 'keys', reason: change }, 'signing keys changed');
  const active = result.keys.find(({ state }) => state === 'Active');
  const message = active === undefined ? 'no key is active' : `${active.keyId} signs`;
  return done({ ...result, progress: progressOf(result) }, message);
}

function progressOf({ problem, pending, lookAfterMs }: KeysReport): ReadyKeys['progress'] {
  if (problem !== undefined) return refused(problem.reason, problem.message);
  if (pending === undefined) return undefined;
  if (pending.isStuck) return blocked('KeyPublishing', `${pending.message}; see its log`);
  return waiting('KeyPublishing', pending.message, lookAfterMs);
}

function wantedKeys({ serverName, signingKeys }: Spec): WantedKeys {
  const keys = signingKeys.keys.map(({ name, state, secretRef, compromisedAt, ...earlier }) => ({
    name,
    state,
    isBrought: secretRef !== undefined,
    compromisedAt: compromisedAt === undefined ? undefined : Date.parse(compromisedAt),
    earlier: earlierKey(earlier),
  }));
  return { serverName, validitySeconds: signingKeys.validitySeconds, keys };
}

type SpecKey = Spec['signingKeys']['keys'][number];

/** The API server lets the three through only together. */
function earlierKey({ publicKey, keyID, expiredTS }: Pick<SpecKey, 'publicKey' | 'keyID' | 'expiredTS'>) {
  if (publicKey === undefined || keyID === undefined || expiredTS === undefined) return undefined;
  return { publicKey, keyId: keyID, expiredTs: expiredTS };
}

function knownKeys({ signingKeys }: Status) {
  return (signingKeys ?? []).flatMap(({ name, keyID, publicKey, state, expiredTS }) => {
    if (publicKey === undefined || keyID === undefined) return [];
    return [{ name, keyId: keyID, publicKey, remembers: readRemembered(state, expiredTS?.toString()) }];
  });
}

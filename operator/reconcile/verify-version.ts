import type { DatabaseLogin } from '../database/connect.ts';
import type { DeploymentCopy } from './child-copies.ts';
import { confirmUpgrade, noteFault } from './confirm-upgrade.ts';
import type { UpgradeDecision } from './decide-upgrade.ts';
import type { ReadyKeys } from './ensure-signing-keys.ts';
import { probeKeys } from './probe-keys.ts';
import { probeService } from './probe-service.ts';
import { probeVersion } from './probe-version.ts';
import type { StepContext, StepResult } from './step.ts';
import { waiting } from './step.ts';
import { verify } from './verify.ts';

export interface VerifyVersionInput {
  readonly deployment: DeploymentCopy;
  readonly decision: UpgradeDecision;
  /** Version of the pods that are wanted now. */
  readonly version: string;
  readonly keys: ReadyKeys;
  readonly login: DatabaseLogin;
  readonly decideAgain: () => Promise<UpgradeDecision>;
}

/** Whether the wanted pods serve: by the Deployment, by their own word, through the Service, and for long enough. */
export async function verifyVersion(ctx: StepContext, input: VerifyVersionInput): Promise<StepResult<UpgradeDecision>> {
  const { deployment, decision, version, keys, login } = input;
  const { keyringGeneration } = keys;
  const found = verify(ctx, { deployment, facts: decision.facts, version, keyringGeneration });
  const fault = found.state === 'done' ? await probe(ctx, keys, decision) : undefined;
  const result = fault === undefined ? found : waiting('ProbeFailed', fault);
  if (result.state !== 'done') {
    await noteFault(decision, login);
    return result;
  }
  const confirmed = await confirmUpgrade(ctx, decision, input);
  return confirmed.state === 'done' ? { ...confirmed, message: result.message } : confirmed;
}

/** What the Service answers wrongly: whether it is ready, publishes the key that signs and, after a roll, is the version. */
async function probe(
  { env, homeserver, owner }: StepContext,
  { keys }: ReadyKeys,
  { phase, plan }: UpgradeDecision,
): Promise<string | undefined> {
  if (!env.settings.probeServices || homeserver.spec.replicas === 0) return undefined;
  const fault = (await probeService(owner)) ?? (phase === 'Verifying' ? await probeVersion(owner, plan.to) : undefined);
  const active = keys.find(({ state }) => state === 'Active');
  if (fault !== undefined || active === undefined) return fault;
  return probeKeys(owner, { ...active, serverName: homeserver.spec.serverName, now: env.now() });
}

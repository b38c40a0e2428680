import type { UpgradePhase, UpgradePlan } from '../api/upgrade-status.ts';

export type JobState = 'none' | 'running' | 'complete' | 'failed';

/** Whether the backup before an upgrade is needed, and how far it is. */
export type BackupState = 'notNeeded' | 'pending' | 'done' | 'failed';

/** Where the pods are: `behind` is a Deployment that asks for something else. */
export type RolloutState = 'behind' | 'rolling' | 'failed' | 'rolled';

/** Observed facts; none of them is remembered by the operator itself. */
export interface PhaseInput {
  readonly plan: UpgradePlan;
  /** The database remembers this plan as accepted. */
  readonly accepted: boolean;
  /** The database remembers that its version served well. */
  readonly verified: boolean;
  readonly approval: 'given' | 'missing' | 'noTurn';
  readonly preflight: JobState;
  readonly backup: BackupState;
  readonly expandPending: boolean;
  readonly expandJob: JobState;
  readonly rollout: RolloutState;
  /** The look of the new version at the database; complete where none is needed. */
  readonly verifyJob: JobState;
  readonly contractPending: boolean;
  readonly contractJob: JobState;
  /** Unix ms; the soak ends at `contractAt`. */
  readonly now: number;
  readonly contractAt: number;
}

/** Where the plan stands; undefined when nothing is left of it. */
export function phaseOf(input: PhaseInput): UpgradePhase | undefined {
  if (input.plan.refusal !== undefined) return 'Refused';
  const before = input.accepted ? undefined : phaseBeforeAccepted(input);
  return before ?? phaseOfWork(input) ?? phaseOfContract(input);
}

/** Up to here nothing has been written that the version before would notice, or anybody would miss. */
function phaseBeforeAccepted({ plan, approval, preflight, backup }: PhaseInput): UpgradePhase | undefined {
  if (approval === 'noTurn') return 'Planned';
  if (approval === 'missing') return 'AwaitingApproval';
  if (plan.steps.some(({ phase }) => phase === 'Preflight') && preflight !== 'complete') {
    return preflight === 'failed' ? 'Failed' : 'Preflight';
  }
  if (backup === 'failed') return 'Failed';
  return backup === 'pending' ? 'BackingUp' : undefined;
}

function phaseOfWork({ expandPending, expandJob, verified, ...pods }: PhaseInput): UpgradePhase | undefined {
  if (expandPending) return expandJob === 'failed' ? 'Failed' : 'Expanding';
  if (verified) return undefined;
  return phaseOfPods(pods);
}

function phaseOfPods({ rollout, verifyJob }: Pick<PhaseInput, 'rollout' | 'verifyJob'>): UpgradePhase {
  if (rollout === 'failed') return 'Failed';
  if (rollout !== 'rolled') return 'Rolling';
  return verifyJob === 'failed' ? 'Failed' : 'Verifying';
}

function phaseOfContract({ contractPending, contractJob, now, contractAt }: PhaseInput): UpgradePhase | undefined {
  if (!contractPending) return undefined;
  if (now < contractAt) return 'Soaking';
  return contractJob === 'failed' ? 'Failed' : 'Contracting';
}

/** Whether pods of the new version may be there: the database has what they need, and nothing forbids them. */
export function mayRoll(phase: UpgradePhase | undefined, expandPending: boolean, accepted: boolean): boolean {
  if (phase === 'Failed') return accepted && !expandPending;
  return phase === undefined || ['Rolling', 'Verifying', 'Soaking', 'Contracting'].includes(phase);
}

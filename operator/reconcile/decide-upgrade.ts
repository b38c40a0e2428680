import type { UpgradePhase, UpgradePlan } from '../api/upgrade-status.ts';
import type { PodImage } from '../resources/pod-template.ts';
import type { CatalogueEntry } from '../upgrades/catalogue.ts';
import type { BackupState, RolloutState } from '../upgrades/plan-phase.ts';
import { mayRoll, phaseOf } from '../upgrades/plan-phase.ts';
import type { Deployed } from '../upgrades/plan-upgrade.ts';
import { needsContract, needsExpand, planUpgrade } from '../upgrades/plan-upgrade.ts';
import { wantedVersion } from '../upgrades/plan-wanted.ts';
import type { UpgradeFacts } from '../upgrades/upgrade-record.ts';
import type { BackupBefore, BackupBeforeInput } from './backup-before-upgrade.ts';
import { backupPolicy, lookAtBackup } from './backup-before-upgrade.ts';
import type { DeploymentCopy, JobCopy } from './child-copies.ts';
import type { Secrets } from './ensure-secrets.ts';
import { resolveImage } from './resolve.ts';
import { isRolledOut } from './rollout.ts';
import type { StepContext } from './step.ts';
import type { JobsInput, UpgradeJob } from './upgrade-jobs.ts';
import { lookAtJob } from './upgrade-jobs.ts';

export interface UpgradeInput {
  readonly secrets: Secrets;
  readonly configMap: string;
  readonly jobs: readonly JobCopy[];
  readonly deployment: DeploymentCopy | undefined;
}

/** What is to be done about the version, from what is found; nothing in it is remembered by the operator. */
export interface UpgradeDecision {
  readonly plan: UpgradePlan;
  readonly phase: UpgradePhase | undefined;
  readonly accepted: boolean;
  readonly verified: boolean;
  /** Whether pods of the plan's version may be wanted now. */
  readonly mayRoll: boolean;
  readonly image: PodImage;
  /** Undefined only when the plan is refused as unknown. */
  readonly entry: CatalogueEntry | undefined;
  readonly facts: UpgradeFacts;
  /** Unix ms; while something is left that only older versions need. */
  readonly contractAt: number | undefined;
  readonly jobs: Readonly<Record<UpgradeJob['kind'], UpgradeJob>>;
  readonly jobsInput: JobsInput | undefined;
  /** Undefined unless the plan waits for one. */
  readonly backup: (BackupBefore & { readonly input: BackupBeforeInput }) | undefined;
}

/** What the Deployment asks for. */
export function runningVersion(deployment: DeploymentCopy | undefined): Deployed | undefined {
  if (deployment === undefined || deployment.version === '') return undefined;
  return { version: deployment.version, image: deployment.image };
}

/** Decides without any write. */
export function decideUpgrade(ctx: StepContext, input: UpgradeInput, facts: UpgradeFacts): UpgradeDecision {
  const { catalogue, operatorVersion } = ctx.env.settings;
  const running = runningVersion(input.deployment);
  const { schema, record, backups } = facts;
  const applied = facts.migrations.filter(({ state }) => state === 'done').map(({ name }) => name);
  const { version, upgrade } = ctx.homeserver.spec;
  const { approval } = upgrade;
  const to = wantedVersion({ catalogue, version, approval, record, running: running?.version });
  const entry = catalogue.versions[to];
  const image = resolveImage({ image: ctx.homeserver.spec.image, settings: ctx.env.settings }, to, running);
  const wanted = { version: to, image: image.reference };
  const backup = backupPolicy(ctx);
  const found = { schema, applied, running, record, backup, backups };
  const plan = planUpgrade({ catalogue, operatorVersion, wanted, ...found });
  const isRollback = plan.kind === 'Rollback';
  const pending = {
    expand: entry !== undefined && !isRollback && needsExpand({ schema, applied }, entry),
    contract: entry !== undefined && !isRollback && needsContract({ schema, applied }, entry),
  };
  return judge(ctx, input, { plan, image, entry, facts, pending, wanted });
}

interface Found {
  readonly plan: UpgradePlan;
  readonly image: PodImage;
  readonly entry: CatalogueEntry | undefined;
  readonly facts: UpgradeFacts;
  readonly pending: { readonly expand: boolean; readonly contract: boolean };
  readonly wanted: Deployed;
}

function judge(ctx: StepContext, input: UpgradeInput, found: Found): UpgradeDecision {
  const { plan, image, entry, facts, pending } = found;
  const accepted = facts.record?.plan.id === plan.id;
  const verifiedAt = accepted ? facts.record?.verifiedAt : undefined;
  const jobsInput = entry === undefined ? undefined : { ...input, plan, entry, image };
  const jobs = lookAtJobs(ctx, jobsInput);
  const backup = backupOf(ctx, { ...input, plan, facts }, accepted);
  const soakMs = ctx.homeserver.spec.upgrade.contractAfterSeconds * 1000;
  const contractAt = (verifiedAt ?? facts.now) + soakMs;
  const phase = phaseOf({
    plan,
    accepted,
    verified: verifiedAt !== undefined,
    approval: accepted ? 'given' : approvalOf(ctx, plan),
    preflight: jobs.preflight.state,
    backup: stateOf(backup),
    expandPending: pending.expand,
    expandJob: jobs.migrate.state,
    rollout: rolloutOf(ctx, input.deployment, found),
    verifyJob: lookOf(plan, jobs.verify),
    contractPending: pending.contract,
    contractJob: jobs.contract.state,
    now: facts.now,
    contractAt,
  });
  return {
    plan,
    phase,
    accepted,
    verified: verifiedAt !== undefined,
    mayRoll: mayRoll(phase, pending.expand, accepted),
    image,
    entry,
    facts,
    contractAt: pending.contract && verifiedAt !== undefined ? contractAt : undefined,
    jobs,
    jobsInput,
    backup,
  };
}

function lookOf(plan: UpgradePlan, { state }: UpgradeJob): UpgradeJob['state'] {
  return isLookedAt(plan) ? state : 'complete';
}

/** A first install has nothing to look at, and a way back, which changes nothing in the database, must not wait. */
export function isLookedAt({ kind }: UpgradePlan): boolean {
  return kind === 'Upgrade';
}

function lookAtJobs(ctx: StepContext, input: JobsInput | undefined): UpgradeDecision['jobs'] {
  const look = (kind: UpgradeJob['kind']): UpgradeJob =>
    input === undefined
      ? { kind, name: '', state: 'none', copy: undefined, isStale: false }
      : lookAtJob(ctx, input, kind);
  return {
    preflight: look('preflight'),
    migrate: look('migrate'),
    verify: look('verify'),
    contract: look('contract'),
  };
}

function stateOf(backup: UpgradeDecision['backup']): BackupState {
  return backup?.state ?? 'notNeeded';
}

function backupOf(ctx: StepContext, input: BackupBeforeInput, accepted: boolean): UpgradeDecision['backup'] {
  if (accepted || !input.plan.steps.some(({ phase }) => phase === 'BackingUp')) return undefined;
  return { ...lookAtBackup(ctx, input), input };
}

/** The first install is what the resource was made for; nothing serves that could be hurt. */
function approvalOf({ env, key, homeserver }: StepContext, plan: UpgradePlan): 'given' | 'missing' | 'noTurn' {
  const { approval, approvedPlan } = homeserver.spec.upgrade;
  if (plan.kind === 'Install') return 'given';
  switch (approval) {
    case 'OnSpecChange':
      return 'given';
    case 'Required':
      return approvedPlan === plan.id ? 'given' : 'missing';
    case 'Automatic':
      return plan.kind === 'Rollback' || env.turns.take(key) ? 'given' : 'noTurn';
  }
}

function rolloutOf(
  { homeserver }: StepContext,
  deployment: DeploymentCopy | undefined,
  { wanted, facts }: Found,
): RolloutState {
  const running = runningVersion(deployment);
  if (deployment === undefined || running?.version !== wanted.version || running.image !== wanted.image) {
    return 'behind';
  }
  const isComplete = isRolledOut(deployment, homeserver.spec.replicas);
  if (deployment.failure !== undefined && !isComplete) return 'failed';
  const othersLive = facts.replicas.some(({ version }) => version !== wanted.version);
  return isComplete && !othersLive ? 'rolled' : 'rolling';
}

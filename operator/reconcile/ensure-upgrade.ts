import type { DatabaseLogin } from '../database/connect.ts';
import { OperatorError } from '../errors.ts';
import { isReason } from '../api/reasons.ts';
import type { UpgradePhase } from '../api/upgrade-status.ts';
import { acceptPlan, readUpgradeFacts } from '../upgrades/upgrade-record.ts';
import type { UpgradeFacts } from '../upgrades/upgrade-record.ts';
import type { UpgradeDecision, UpgradeInput } from './decide-upgrade.ts';
import { decideUpgrade, isLookedAt } from './decide-upgrade.ts';
import { backupFailure, runBackup } from './backup-before-upgrade.ts';
import { migrationProgress } from './migration-progress.ts';
import type { StepContext, StepResult } from './step.ts';
import { blocked, done, refused, waiting } from './step.ts';
import type { UpgradeJob } from './upgrade-jobs.ts';
import { jobFailure, runJob, stopOthers } from './upgrade-jobs.ts';

/** How often to look at a Job of an upgrade; it also shows the progress that often. In ms. */
const JOB_LOOK_MS = 5000;
/** A Job whose pod does not run makes no progress, and the watch tells when it does: a thousand of them may wait for nodes. */
const PENDING_LOOK_MS = 300_000;
/** When a person has to act and nothing tells of it, in ms. */
const PERSON_LOOK_MS = 300_000;

/** What was decided and what came of it; the decision is there even when the step has to wait. */
export interface UpgradeOutcome {
  readonly decision: UpgradeDecision;
  readonly result: StepResult<UpgradeFacts>;
}

/** Takes the next step towards the wanted version up to the point from which its pods may roll, and the contract. */
export async function ensureUpgrade(
  ctx: StepContext,
  input: UpgradeInput,
  login: DatabaseLogin,
): Promise<UpgradeOutcome> {
  return goOnFrom(ctx, { input, login, facts: await readUpgradeFacts(login) });
}

interface Known {
  readonly input: UpgradeInput;
  readonly login: DatabaseLogin;
  readonly facts: UpgradeFacts;
}

async function goOnFrom(ctx: StepContext, { input, login, facts }: Known): Promise<UpgradeOutcome> {
  const decision = decideUpgrade(ctx, input, facts);
  if (decision.phase === undefined || decision.phase === 'Soaking') ctx.env.turns.release(ctx.key);
  await stopOthers(ctx, input.jobs, decision.plan.id);
  if (mustAccept(decision)) {
    const record = await acceptPlan(login, decision.plan);
    const { id, kind, from = '', to } = decision.plan;
    ctx.log.info({ step: 'upgrade', plan: id, kind, from, to }, 'a plan was accepted');
    return goOnFrom(ctx, { input, login, facts: { ...facts, record } });
  }
  return { decision, result: await act(ctx, decision) };
}

/** From the first write on the plan is remembered, so that its id outlives what it changes. */
function mustAccept({ accepted, phase }: UpgradeDecision): boolean {
  return !accepted && (phase === 'Expanding' || phase === 'Rolling' || phase === 'Verifying');
}

type Act = (
  ctx: StepContext,
  decision: UpgradeDecision,
) => Promise<StepResult<UpgradeFacts>> | StepResult<UpgradeFacts>;

const goOn: Act = (_ctx, { facts }) => done(facts, describeSchema(facts));

/** What is done in each phase; where the pods are the next thing, another step does it. */
const ACTS: Readonly<Record<UpgradePhase, Act>> = {
  Refused: (_ctx, decision) => refusal(decision),
  Planned: (_ctx, { facts, plan }) =>
    done(facts, `${describeSchema(facts)}; plan ${plan.id} to ${plan.to} waits for its turn`, JOB_LOOK_MS),
  AwaitingApproval: (_ctx, decision) => waiting('AwaitingApproval', approvalMessage(decision), PERSON_LOOK_MS),
  Preflight: (ctx, decision) => runAndWait(ctx, decision, decision.jobs.preflight),
  BackingUp: backUpAndWait,
  Expanding: (ctx, decision) => runAndWait(ctx, decision, decision.jobs.migrate),
  Rolling: goOn,
  Verifying: lookAtDatabase,
  Soaking: (_ctx, { facts, contractAt = facts.now }) =>
    done(facts, describeSchema(facts), Math.max(1, contractAt - facts.now)),
  Contracting: contract,
  Failed: failure,
};

function act(
  ctx: StepContext,
  decision: UpgradeDecision,
): Promise<StepResult<UpgradeFacts>> | StepResult<UpgradeFacts> {
  const { phase } = decision;
  return (phase === undefined ? goOn : ACTS[phase])(ctx, decision);
}

function refusal({ plan }: UpgradeDecision): StepResult<never> {
  const { reason, message } = plan.refusal ?? { reason: 'VersionUnknown', message: '' };
  return blocked(isReason(reason) ? reason : 'VersionUnknown', message);
}

function approvalMessage({ plan }: UpgradeDecision): string {
  const { id, kind, from = 'nothing', to } = plan;
  return `${kind} from ${from} to ${to} waits for approval: set spec.upgrade.approvedPlan to ${id}`;
}

async function runAndWait(
  ctx: StepContext,
  decision: UpgradeDecision,
  job: UpgradeJob,
): Promise<StepResult<UpgradeFacts>> {
  const { jobsInput, plan } = decision;
  if (jobsInput !== undefined) await runJob(ctx, jobsInput, job);
  const progress = job.kind === 'preflight' ? undefined : migrationProgress(decision);
  const where = progress === undefined ? '' : `, ${progress.percent} %`;
  // One that was made just now counts as running: a status that says so a moment later would tell nobody anything.
  const state = job.isStale ? 'is being started' : `is running${where}`;
  const again = job.copy?.hasPod === true || job.isStale ? JOB_LOOK_MS : PENDING_LOOK_MS;
  return waiting('Migrating', `plan ${plan.id} to ${plan.to}: Job ${job.name} ${state}`, again);
}

/** The new version says whether the database is whole; the step that looks at the pods waits for both. */
async function lookAtDatabase(ctx: StepContext, { facts, plan, jobsInput, jobs }: UpgradeDecision) {
  const { verify } = jobs;
  if (isLookedAt(plan) && verify.state !== 'complete' && jobsInput !== undefined) await runJob(ctx, jobsInput, verify);
  return done(facts, describeSchema(facts));
}

async function backUpAndWait(ctx: StepContext, { plan, backup }: UpgradeDecision): Promise<StepResult<UpgradeFacts>> {
  try {
    if (backup !== undefined) await runBackup(ctx, backup.input, backup);
  } catch (error) {
    // Told from here, the phase is told with it.
    if (!(error instanceof OperatorError)) throw error;
    return refused(error.reason, error.message);
  }
  const name = ctx.names.backupJob(plan.id);
  return waiting('Migrating', `plan ${plan.id} to ${plan.to} waits for the backup before it, Job ${name}`, JOB_LOOK_MS);
}

/** Everybody is served meanwhile, so the work goes on beside Ready. */
async function contract(ctx: StepContext, decision: UpgradeDecision): Promise<StepResult<UpgradeFacts>> {
  const { facts } = decision;
  if (decision.jobsInput !== undefined) await runJob(ctx, decision.jobsInput, decision.jobs.contract);
  return done(facts, `${describeSchema(facts)}; what only older versions need is being removed`, JOB_LOOK_MS);
}

/** A rollout that failed is told by the step that looks at the pods. */
function failure(ctx: StepContext, { jobs, plan, facts, accepted, backup }: UpgradeDecision): StepResult<UpgradeFacts> {
  const failed = [jobs.preflight, jobs.migrate, jobs.verify, jobs.contract].find(({ state }) => state === 'failed');
  if (failed !== undefined) return jobFailure(ctx, failed);
  if (!accepted && backup?.state === 'failed') return backupFailure(ctx, plan, backup);
  return done(facts, describeSchema(facts));
}

function describeSchema({ schema }: UpgradeFacts): string {
  if (schema === undefined) return 'no schema yet';
  return `schema ${schema.schemaVersion}, programs from level ${schema.compatVersion} may run`;
}

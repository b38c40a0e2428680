import { noteGood, noteVerified } from '../upgrades/upgrade-record.ts';
import type { DatabaseLogin } from '../database/connect.ts';
import type { UpgradePlan } from '../api/upgrade-status.ts';
import type { UpgradeDecision } from './decide-upgrade.ts';
import { isLookedAt } from './decide-upgrade.ts';
import type { StepContext, StepResult } from './step.ts';
import { done, waiting } from './step.ts';

/** How soon to look again at whether all is still well, in ms. */
const LOOK_MS = 5000;
/** How soon to go on when a version was reached, in ms. */
const SOON_MS = 50;

export interface ConfirmInput {
  readonly login: DatabaseLogin;
  /** Decides from the facts as they are now. */
  readonly decideAgain: () => Promise<UpgradeDecision>;
}

/**
 * The end of Verifying: the version counts as reached when it has served without a fault for long enough and found the
 * database whole. The time is kept in the database, by its clock, so that it outlives the operator. A first install has
 * nothing to compare with.
 * Done: with the decision that holds from then on; of an upgrade in the run after the one that counted it as reached.
 */
export async function confirmUpgrade(
  ctx: StepContext,
  decision: UpgradeDecision,
  { login, decideAgain }: ConfirmInput,
): Promise<StepResult<UpgradeDecision>> {
  const { plan, phase, facts } = decision;
  if (phase === 'Rolling') return waiting('Rolling', 'replicas of another version are still alive', LOOK_MS / 5);
  if (phase !== 'Verifying') return done(decision);
  const wantedMs = plan.kind === 'Install' ? 0 : ctx.env.settings.upgradeTimes.goodSeconds * 1000;
  const { goodSince } = facts.record ?? {};
  if (goodSince === undefined) await noteGood(login, plan.id, true);
  const leftMs = (goodSince ?? facts.now) + wantedMs - facts.now;
  if (leftMs > 0) {
    const message = `version ${plan.to} serves; it is reached when it has done so for ${wantedMs / 1000} s`;
    return waiting('Verifying', message, Math.min(leftMs, LOOK_MS));
  }
  const { verify } = decision.jobs;
  if (isLookedAt(plan) && verify.state !== 'complete') {
    return waiting(
      'Verifying',
      `version ${plan.to} serves; Job ${verify.name} looks whether the database is whole`,
      LOOK_MS,
    );
  }
  await noteVerified(login, plan.id);
  return reachedBy(ctx, plan, await decideAgain());
}

function reachedBy(ctx: StepContext, plan: UpgradePlan, next: UpgradeDecision): StepResult<UpgradeDecision> {
  const { id, kind, from = '', to } = plan;
  ctx.log.info({ step: 'upgrade', plan: id, kind, from, to }, 'a version was reached');
  ctx.env.turns.release(ctx.key);
  if (kind === 'Install') return next.phase === undefined ? done(next) : done(next, '', SOON_MS);
  // The next run takes the upgrade's settings out of the Deployment, which then counts as changed: Ready comes after that, and stays.
  return waiting('Verifying', `version ${to} is reached; the pause between its pods is being taken away`, SOON_MS);
}

/** While Verifying, what does not serve as it should begins the time anew. */
export async function noteFault({ plan, phase, facts }: UpgradeDecision, login: DatabaseLogin): Promise<void> {
  if (phase === 'Verifying' && facts.record?.goodSince !== undefined) await noteGood(login, plan.id, false);
}

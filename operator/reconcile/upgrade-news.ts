import type { UpgradePlan, UpgradeStatus } from '../api/upgrade-status.ts';
import type { Observed } from '../conditions/observed.ts';
import type { EventToRecord } from '../runtime/events.ts';

/** One thing that happened to a change of version, as it is told to people. */
export type UpgradeNews = Pick<EventToRecord, 'type' | 'reason' | 'message'>;

export interface NewsInput {
  /** The status that was written last: what it says was told. */
  readonly before: UpgradeStatus | undefined;
  readonly next: UpgradeStatus | undefined;
  /** The plan that the database remembers as accepted. */
  readonly accepted: UpgradePlan | undefined;
  /** Reports that say why nothing goes on. */
  readonly why: Pick<Observed['gates'], 'schema' | 'verify'>;
}

/**
 * What happened between two statuses, however much that was: each turn of a plan is told once, whenever the operator dies.
 * A first install is no news, Ready tells of it; nor is what the database remembers when the status was lost.
 */
export function upgradeNews({ before = {}, next = {}, accepted, why }: NewsInput): UpgradeNews[] {
  const turn: Turn = {
    before,
    next,
    accepted,
    isEntered: next.phase !== before.phase || next.plan?.id !== before.plan?.id,
    isLost: before.phase === undefined && before.last === undefined,
    isOver: next.last !== undefined && isSame(before.last, next.last),
  };
  const found = [asked(turn), begun(turn), stopped(turn, why), served(turn), contracted(turn)];
  return found.filter((news) => news !== undefined);
}

interface Turn extends Pick<NewsInput, 'accepted'> {
  readonly before: UpgradeStatus;
  readonly next: UpgradeStatus;
  /** Phase or plan is another than before. */
  readonly isEntered: boolean;
  /** There was no status of any version. */
  readonly isLost: boolean;
  /** What the database remembers as reached was told. */
  readonly isOver: boolean;
}

function isSame(one: UpgradeStatus['last'], other: UpgradeStatus['last']): boolean {
  return one?.to === other?.to && one?.finishedAt === other?.finishedAt;
}

function asked({ next: { phase, plan }, isEntered }: Turn): UpgradeNews | undefined {
  if (phase !== 'AwaitingApproval' || plan === undefined || !isEntered) return undefined;
  const way = `set spec.upgrade.approvedPlan to ${plan.id}`;
  return normal('AwaitingApproval', `${titleOf(plan)} waits for approval: ${way}; steps: ${stepsOf(plan)}`);
}

function begun(turn: Turn): UpgradeNews | undefined {
  const { next, accepted } = turn;
  const plan = next.plan ?? accepted;
  if (plan === undefined || plan.kind === 'Install' || wasTold(turn, plan)) return undefined;
  if (next.phase === 'AwaitingApproval' || next.phase === 'Refused') return undefined;
  return normal(`${plan.kind}Planned`, `${titleOf(plan)}: ${stepsOf(plan)}`);
}

function wasTold({ before, accepted, isLost, isOver }: Turn, { id }: UpgradePlan): boolean {
  return id === before.plan?.id || (id === accepted?.id && (isLost || isOver));
}

function stopped({ next: { phase, plan }, isEntered }: Turn, why: NewsInput['why']): UpgradeNews | undefined {
  if (plan === undefined || plan.kind === 'Install' || !isEntered) return undefined;
  const { kind, refusal } = plan;
  if (phase === 'Refused' && refusal?.reason === 'RollbackUnsafe') return warning('RollbackRefused', refusal.message);
  if (phase !== 'Failed') return undefined;
  const cause = [why.schema, why.verify].find((report) => report.state === 'blocked');
  const because = cause?.state === 'blocked' ? `: ${cause.reason}: ${cause.message}` : '';
  return warning(`${kind}Failed`, `${titleOf(plan)} stopped${because}`);
}

function served({ next: { last, contractAt }, isLost, isOver }: Turn): UpgradeNews | undefined {
  if (last === undefined || last.result === 'Installed' || isLost || isOver) return undefined;
  const soak = contractAt === undefined ? '' : `; what only older versions need is removed from ${contractAt} on`;
  return normal(last.result === 'RolledBack' ? 'RollbackRolled' : 'UpgradeRolled', `version ${last.to} serves${soak}`);
}

function contracted({ before, next, accepted: plan, isLost, isOver }: Turn): UpgradeNews | undefined {
  if (plan?.kind !== 'Upgrade' || next.phase !== undefined || next.last === undefined) return undefined;
  if (isLost || (isOver && before.plan?.id !== plan.id)) return undefined;
  if (!plan.steps.some(({ phase }) => phase === 'Contracting')) return undefined;
  return normal(
    'UpgradeContracted',
    `what only versions before ${plan.to} need was removed: no way back without a backup`,
  );
}

function titleOf({ id, kind, from = 'nothing', to }: UpgradePlan): string {
  return `${kind} from ${from} to ${to} (plan ${id})`;
}

function stepsOf({ steps }: UpgradePlan): string {
  const words = steps.map(({ phase, migrations = [] }) => {
    if (migrations.length === 0) return phase;
    return `${phase} (${migrations.length} ${migrations.length === 1 ? 'migration' : 'migrations'})`;
  });
  return words.join(', ');
}

function normal(reason: string, message: string): UpgradeNews {
  return { type: 'Normal', reason, message };
}

function warning(reason: string, message: string): UpgradeNews {
  return { type: 'Warning', reason, message };
}

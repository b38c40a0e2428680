import type { MatrixHomeserver } from '../../api/matrix-homeserver.ts';
import type { UpgradePlan, UpgradeStatus } from '../../api/upgrade-status.ts';
import { printable } from './paint.ts';
import type { Paint } from './paint.ts';
import { columns } from './table.ts';
import type { Row } from './table.ts';
import { withDistance } from './times.ts';

const BACKUP = {
  NotConfigured: 'none: spec.backup is not set',
  Disabled: 'none: it is switched off in spec.backup',
  Required: 'one is made before anything is changed',
} as const;

/** The plan that waits or runs: where it leads, by which steps, and whether there is a way back. `now` in Unix ms. */
export function planView(homeserver: MatrixHomeserver, view: { paint: Paint; now: number }): string[] {
  const { metadata, status } = homeserver;
  const { upgrade } = status;
  const plan = upgrade?.plan;
  if (upgrade === undefined || plan === undefined) return [`There is no plan: ${restingText(homeserver)}`];
  const { paint } = view;
  return [
    `${paint('strong', `${metadata.namespace}/${metadata.name}`)}  plan ${paint('strong', plan.id)}`,
    ...columns(facts(plan, upgrade, view.now), paint, '  '),
    '',
    paint('strong', 'Steps'),
    ...columns(stepRows(plan, upgrade.phase), paint, '  '),
    '',
    paint('strong', 'Next steps'),
    ...nextLines(homeserver, plan, upgrade).map((line) => `  - ${printable(line)}`),
  ];
}

function restingText({ status, spec }: MatrixHomeserver): string {
  const { current, available } = status.version ?? {};
  if (current === undefined) return 'no version serves yet';
  if (available === undefined) return `${current} serves and is what is wanted`;
  return `${current} serves; set spec.version to ${available}${spec.version === undefined ? '' : ` (now ${spec.version})`} for the newest`;
}

function facts(plan: UpgradePlan, { phase, progress, contractAt }: UpgradeStatus, now: number): Row[] {
  const done =
    progress === undefined ? '' : `, ${progress.percent} %${progress.step === undefined ? '' : ` (${progress.step})`}`;
  const rows: (readonly [string, string])[] = [
    [plan.kind, plan.from === undefined ? plan.to : `${plan.from} -> ${plan.to}`],
    ['Image', plan.image],
    ['Phase', phase === undefined ? 'nothing left to do' : `${phase}${done}`],
    ['Backup', BACKUP[plan.backup]],
    ['Way back', wayBack(plan, contractAt, now)],
  ];
  return rows.map(([name, value]) => [name, printable(value)]);
}

function wayBack({ rollbackTo }: UpgradePlan, contractAt: string | undefined, now: number): string {
  if (rollbackTo.length === 0) return 'no older version can serve on this database';
  const until = contractAt === undefined ? 'until the contract step' : `until ${withDistance(contractAt, now)}`;
  return `rollback to ${rollbackTo.join(', ')} stays possible ${until}`;
}

function stepRows({ steps }: UpgradePlan, phase: UpgradeStatus['phase']): Row[] {
  const rows = steps.map(
    ({ phase: step, migrations = [], reversible }): Row => [
      step === phase ? '>' : '',
      { text: step, style: step === phase ? 'busy' : undefined },
      { text: reversible ? 'reversible' : 'no way back', style: reversible ? undefined : 'bad' },
      migrations.join(', '),
    ],
  );
  return rows.length === 0 ? [['', 'none']] : rows;
}

function nextLines({ metadata, spec }: MatrixHomeserver, plan: UpgradePlan, { phase }: UpgradeStatus): string[] {
  if (plan.refusal !== undefined) return [`${plan.refusal.reason}: ${plan.refusal.message}`];
  if (phase !== 'AwaitingApproval') return ['Nothing is needed.'];
  const approve = `Approve it: kubectl matrix approve -n ${metadata.namespace} ${metadata.name}`;
  const old = spec.upgrade.approvedPlan;
  return old === undefined ? [approve] : [`${approve} (spec.upgrade.approvedPlan ${old} was for another plan)`];
}

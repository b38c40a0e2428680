import type { OwnKey } from '../federation-check/finding.ts';
import type { Findings } from './build-status.ts';
import { backupFacts } from './backup-facts.ts';
import type { ReadyKeys } from './ensure-signing-keys.ts';
import { lookFromOutside } from './look-from-outside.ts';
import type { Children } from './observe.ts';
import { observedVersions } from './observed-versions.ts';
import { isOverdue } from './overdue.ts';
import type { StepContext } from './step.ts';
import type { RunOfSteps } from './step-results.ts';
import { gatesOf } from './step-results.ts';

/** What the status is made from. */
export function findingsOf(ctx: StepContext, run: RunOfSteps, children: Children): Findings {
  const { results, upgrade, version } = run;
  const gates = gatesOf(results);
  const { database, keys, deployment } = results;
  const seen = deployment.state === 'done' ? deployment.value : children.deployment;
  const { spec, status } = ctx.homeserver;
  const outside = lookFromOutside(ctx, keys.state === 'done' ? ownKeys(keys.value) : undefined);
  return {
    observed: {
      replicas: spec.replicas,
      readyReplicas: seen?.readyReplicas ?? 0,
      version,
      versions: upgrade === undefined ? undefined : observedVersions(ctx, upgrade, version),
      gates,
      overdue: isOverdue(gates, status.conditions, ctx.env.now()),
      federation: outside.report,
      media: results.media.state === 'done' ? results.media.value : undefined,
      backup: backupFacts(ctx, children.jobs, {
        results: [results.backup, results.spare],
        stored: upgrade?.facts.backups,
      }),
    },
    deployment: seen,
    upgrade,
    database: database.state === 'done' ? database.value : undefined,
    keys: keys.state === 'done' ? keys.value : undefined,
    outside,
  };
}

function ownKeys({ keys }: ReadyKeys): OwnKey[] {
  return keys.map(({ keyId, publicKey, state }) => ({ keyId, publicKey, isActive: state === 'Active' }));
}

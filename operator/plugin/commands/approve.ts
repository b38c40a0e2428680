import { parseArgs } from 'node:util';
import type { MatrixHomeserver } from '../../api/matrix-homeserver.ts';
import type { SpecChange } from '../change-spec.ts';
import { changeSpec } from '../change-spec.ts';
import { CLUSTER_HELP, CLUSTER_OPTIONS, withCluster } from '../cluster.ts';
import type { PluginCommand } from '../command.ts';
import { theName, wantsJson } from '../command.ts';
import { findHomeserver } from '../find-homeserver.ts';
import { PluginError } from '../terminal.ts';

export const approve: PluginCommand = {
  help: `kubectl matrix approve NAME: the change of spec that approves the plan which waits (kubectl matrix plan NAME).

  --plan ID              only if it is this one
  --apply                write the change to the cluster; otherwise it is only printed, to be committed
${CLUSTER_HELP}
`,
  run: async (args, at) => {
    const options = { ...CLUSTER_OPTIONS, plan: { type: 'string' }, apply: { type: 'boolean' } } as const;
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
    const asJson = wantsJson(values.output);
    const name = theName(positionals);
    return withCluster(values, at, async (cluster) => {
      const { homeserver } = await findHomeserver(cluster, name);
      const change = approval(homeserver, values.plan);
      const again = `kubectl matrix approve -n ${cluster.namespace} ${name} --plan ${waitingPlan(homeserver)} --apply`;
      await changeSpec(cluster, at, change, { apply: values.apply === true, asJson, again });
      return 0;
    });
  },
};

function approval(homeserver: MatrixHomeserver, wanted: string | undefined): SpecChange {
  const id = waitingPlan(homeserver);
  if (wanted !== undefined && wanted !== id) {
    throw new PluginError(`the plan that waits is ${id}, not ${wanted}: read it before you approve it`);
  }
  const { from = 'nothing', to = '' } = homeserver.status.upgrade?.plan ?? {};
  return {
    name: homeserver.metadata.name,
    patch: { spec: { upgrade: { approvedPlan: id } } },
    operations: [
      { op: 'test', path: '/status/upgrade/plan/id', value: id },
      { op: 'add', path: '/spec/upgrade/approvedPlan', value: id },
    ],
    why: [
      `Approves plan ${id}: ${from} -> ${to}. If anything that it depends on changes, the approval no longer fits.`,
    ],
  };
}

function waitingPlan({ metadata, status }: MatrixHomeserver): string {
  const { phase, plan } = status.upgrade ?? {};
  if (phase === 'AwaitingApproval' && plan !== undefined) return plan.id;
  const where = `${metadata.namespace}/${metadata.name}`;
  const instead = phase === undefined ? 'there is nothing to do' : `its upgrade is in phase ${phase}`;
  throw new PluginError(`no plan of ${where} waits for an approval: ${instead}`);
}

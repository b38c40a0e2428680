import { parseArgs } from 'node:util';
import { CLUSTER_HELP, CLUSTER_OPTIONS, withCluster } from '../cluster.ts';
import type { PluginCommand } from '../command.ts';
import { json, text, theName, wantsJson } from '../command.ts';
import { findHomeserver } from '../find-homeserver.ts';
import { coloured, plain } from '../text/paint.ts';
import { planView } from '../text/plan-view.ts';

export const plan: PluginCommand = {
  help: `kubectl matrix plan NAME: the upgrade or rollback that waits or runs: its id, its steps, the way back.

${CLUSTER_HELP}
`,
  run: async (args, at) => {
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options: CLUSTER_OPTIONS });
    const asJson = wantsJson(values.output);
    const name = theName(positionals);
    return withCluster(values, at, async (cluster) => {
      const { homeserver } = await findHomeserver(cluster, name);
      const view = { paint: at.colours ? coloured : plain, now: at.now() };
      at.write(asJson ? json(homeserver.status.upgrade ?? {}) : text(planView(homeserver, view)));
      return 0;
    });
  },
};

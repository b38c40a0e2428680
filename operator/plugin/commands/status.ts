import { parseArgs } from 'node:util';
import type { MatrixHomeserver } from '../../api/matrix-homeserver.ts';
import { KINDS } from '../../reconcile/kinds.ts';
import type { Cluster } from '../cluster.ts';
import { CLUSTER_HELP, CLUSTER_OPTIONS, withCluster } from '../cluster.ts';
import type { PluginCommand } from '../command.ts';
import { json, text, theName, wantsJson } from '../command.ts';
import { findHomeserver, understand } from '../find-homeserver.ts';
import { readHappenings } from '../happenings.ts';
import type { Terminal } from '../terminal.ts';
import { UsageError } from '../terminal.ts';
import { nextSteps } from '../text/next-steps.ts';
import { coloured, plain } from '../text/paint.ts';
import { statusList } from '../text/status-list.ts';
import { statusView } from '../text/status-view.ts';

export const status: PluginCommand = {
  help: `kubectl matrix status [NAME]: how homeservers are, and what to do next.

  NAME                   one resource with its keys, conditions and events; without it, a line for each
  -A, --all-namespaces   of every namespace
${CLUSTER_HELP}
`,
  run: async (args, at) => {
    const options = { ...CLUSTER_OPTIONS, 'all-namespaces': { type: 'boolean', short: 'A' } } as const;
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
    const asJson = wantsJson(values.output);
    const all = values['all-namespaces'] === true;
    if (all && positionals.length > 0) throw new UsageError('NAME and --all-namespaces do not go together');
    return withCluster(values, at, async (cluster) => {
      if (positionals.length === 0) at.write(await list(cluster, at, { all, asJson }));
      else at.write(await one(cluster, at, { name: theName(positionals), asJson }));
      return 0;
    });
  },
};

async function one(cluster: Cluster, at: Terminal, { name, asJson }: { name: string; asJson: boolean }) {
  const { homeserver } = await findHomeserver(cluster, name);
  if (asJson) return json(forScripts(homeserver));
  const events = await readHappenings(cluster, homeserver.metadata);
  return text(statusView(homeserver, { events, now: at.now(), paint: at.colours ? coloured : plain }));
}

async function list(cluster: Cluster, at: Terminal, { all, asJson }: { all: boolean; asJson: boolean }) {
  const { items } = await cluster.client.list(KINDS.homeserver, all ? {} : { namespace: cluster.namespace });
  const homeservers = items.map(understand);
  if (asJson) return json(homeservers.map(forScripts));
  if (homeservers.length === 0) {
    at.tell(
      `there is no MatrixHomeserver ${all ? 'in the cluster' : `in namespace ${cluster.namespace}; -A lists all`}`,
    );
    return '';
  }
  const paint = at.colours ? coloured : plain;
  return text(statusList(homeservers, { paint, now: at.now(), allNamespaces: all }));
}

function forScripts(homeserver: MatrixHomeserver) {
  const { metadata, spec, status: found } = homeserver;
  const { namespace, name, generation } = metadata;
  return { namespace, name, generation, serverName: spec.serverName, status: found, nextSteps: nextSteps(homeserver) };
}

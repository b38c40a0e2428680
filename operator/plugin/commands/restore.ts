import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import * as z from 'zod';
import { KIND } from '../../api/matrix-homeserver.ts';
import type { Cluster } from '../cluster.ts';
import { CLUSTER_HELP, CLUSTER_OPTIONS, withCluster } from '../cluster.ts';
import type { PluginCommand } from '../command.ts';
import { json, theName, wantsJson } from '../command.ts';
import { findHomeserver } from '../find-homeserver.ts';
import { SourceSpec, restoredManifest, secretsNamedIn, whereFilesAre } from '../restored-manifest.ts';
import type { Terminal } from '../terminal.ts';
import { PluginError, UsageError } from '../terminal.ts';
import { toYaml } from '../text/yaml.ts';

export const restore: PluginCommand = {
  help: `kubectl matrix restore NAME: print the manifest of a new resource that begins from a backup of NAME.

  --backup ID            which backup; kubectl matrix backup tells ids [latest]
  --as NEWNAME           name of the new resource [NAME-restored]
  --into NAMESPACE       its namespace [that of NAME]
  --database-secret NAME Secret of the new, empty database, where the old one is of database.existing
  -f, --filename FILE    take NAME from this manifest: the cluster has it no more
${CLUSTER_HELP}

Nothing is written to the cluster. Only one server of a name may run: the old one has to go first.
`,
  run: async (args, at) => {
    const options = {
      ...CLUSTER_OPTIONS,
      backup: { type: 'string', default: 'latest' },
      as: { type: 'string' },
      into: { type: 'string' },
      'database-secret': { type: 'string' },
      filename: { type: 'string', short: 'f' },
    } as const;
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
    const asJson = wantsJson(values.output);
    const name = theName(positionals);
    checkWords(values);
    return withCluster(values, at, async (cluster) => {
      const isGone = values.filename !== undefined;
      const spec = SourceSpec.parse(
        values.filename === undefined ? await specOf(cluster, name) : await readSpec(values.filename, name),
      );
      const namespace = values.into ?? cluster.namespace;
      const wish = {
        name: values.as ?? `${name}-restored`,
        namespace,
        backupID: values.backup,
        databaseSecret: values['database-secret'],
      };
      const manifest = restoredManifest(spec, wish);
      at.write(asJson ? json(manifest) : toYaml(manifest));
      explain(at, { cluster, name, spec, manifest, isGone });
      return 0;
    });
  },
};

const BACKUP_ID = /^(latest|[0-9]{8}T[0-9]{6}Z-[0-9a-f]{10})$/;
const NAME = /^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/;

function checkWords({ backup, as }: { backup: string; as?: string | undefined }): void {
  if (!BACKUP_ID.test(backup)) {
    throw new UsageError(`--backup: latest or an id such as 20261128T021500Z-1a2b3c4d5e is allowed, not ${backup}`);
  }
  if (as !== undefined && !NAME.test(as)) {
    throw new UsageError(`--as: 1 to 40 of a-z, 0-9 and - are allowed, not ${as}`);
  }
}

async function specOf(cluster: Cluster, name: string): Promise<unknown> {
  return (await findHomeserver(cluster, name)).object['spec'];
}

const InFile = z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }), spec: z.unknown() });

async function readSpec(file: string, name: string): Promise<unknown> {
  const found = InFile.safeParse(parse(await readFile(file, 'utf8')));
  if (!found.success || found.data.kind !== KIND) throw new PluginError(`${file} is no manifest of a ${KIND}`);
  if (found.data.metadata.name !== name) {
    throw new PluginError(`${file} is of the resource ${found.data.metadata.name}, not of ${name}`);
  }
  return found.data.spec;
}

interface Explained {
  readonly cluster: Cluster;
  readonly name: string;
  readonly spec: SourceSpec;
  readonly manifest: object;
  /** The cluster does not have the old resource. */
  readonly isGone: boolean;
}

function explain(at: Terminal, { cluster, name, spec, manifest, isGone }: Explained): void {
  const stop = `Stop the old server: kubectl -n ${cluster.namespace} delete matrixhomeserver ${name}; its database stays.`;
  const drops = spec.deletion?.policy === 'Delete';
  const steps = [
    ...(drops && !isGone
      ? ['Set deletion.policy of the old resource to Retain, or its database is dropped with it.']
      : []),
    ...(isGone ? [] : [stop]),
    `See that the namespace has the Secrets ${secretsNamedIn(manifest).join(', ')}.`,
    `Uploaded files are not in a backup: ${whereFilesAre(spec)}`,
    'Apply this manifest, from Git or by kubectl apply -f -; it is Ready when the backup is in.',
  ];
  for (const step of steps) at.tell(`# - ${step}`);
}

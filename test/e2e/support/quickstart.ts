import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import { helm, kubectl } from '../../cluster/clients.ts';
import type { ClusterHandle, ClusterProvider } from '../../cluster/cluster.ts';
import { appImage } from '../../cluster/images/app-image.ts';
import type { BuiltImage } from '../../cluster/images/build-image.ts';
import { postgresImage } from '../../cluster/images/postgres-image.ts';
import { say, step } from '../../cluster/progress.ts';
import { waitFor } from '../../support/wait-for.ts';
import { apiOf } from './api.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
export const EXAMPLE = join(ROOT, 'examples', 'quickstart');
export const OPERATOR_NAMESPACE = 'matrix-operator';
export const NAMESPACE = 'quickstart';
export const NAME = 'quickstart';

/** Image that examples/quickstart/postgres.yaml names; replaced where the cluster's nodes reach no registry. */
export const PUBLIC_POSTGRES = /image: (docker\.io\/library\/)?postgres:[\w.-]+/g;

export interface Images {
  image?: string | undefined;
  postgresImage?: string | undefined;
}

/** The image of ours, and of PostgreSQL if not the example's: each once the cluster has it. */
export interface LoadedImages {
  readonly image: Promise<string>;
  readonly postgres: Promise<string | undefined>;
}

/** Builds what is not named, also while the cluster is still being made, and brings it there. */
export function loadImages(provider: ClusterProvider, up: Promise<unknown>, named: Images): LoadedImages {
  const loaded = async (what: string, build: () => Promise<BuiltImage>): Promise<string> => {
    const { archive, reference } = await step(what, build);
    await up;
    await step(`load ${reference}`, () => provider.loadImage(archive, reference));
    return reference;
  };
  const image = named.image === undefined ? loaded('build the image', () => appImage()) : Promise.resolve(named.image);
  const isGiven = named.postgresImage !== undefined || provider.name !== 'local';
  const what = 'build the PostgreSQL image (the nodes reach no registry)';
  return { image, postgres: isGiven ? Promise.resolve(named.postgresImage) : loaded(what, () => postgresImage()) };
}

/** Settings of the chart for the tests and the demo, as words for helm; `more` as `--set` takes them. */
export function chartValues(image: string, more: readonly string[] = []): string[] {
  const colon = image.lastIndexOf(':');
  const values = [`image.repository=${image.slice(0, colon)}`, `image.tag=${image.slice(colon + 1)}`];
  const ours = ['image.pullPolicy=IfNotPresent', 'rbac.tenantClusterWide=true'];
  return [...values, ...ours, ...more].flatMap((v) => ['--set', v]);
}

/** Installs or upgrades the operator by its chart and waits until it runs; `more` are values as `--set` takes them. */
export async function installOperator(
  handle: ClusterHandle,
  image: string,
  more: readonly string[] = [],
): Promise<void> {
  const chart = join(ROOT, 'charts', 'matrix-operator');
  const where = ['--namespace', OPERATOR_NAMESPACE, '--create-namespace'];
  await helm(handle, [
    'upgrade',
    '--install',
    'matrix-operator',
    chart,
    ...where,
    ...chartValues(image, more),
    '--wait',
    '--timeout',
    '180s',
  ]);
}

/** Applies YAML text; namespaced objects without a namespace go to `namespace`. */
export async function apply(handle: ClusterHandle, yaml: string, namespace: string = NAMESPACE): Promise<string> {
  return kubectl(handle, ['apply', '--namespace', namespace, '-f', '-'], { input: yaml });
}

/** The PostgreSQL of the example, with its image replaced if `image` names one that the nodes have. */
export async function applyPostgres(handle: ClusterHandle, image: string | undefined): Promise<void> {
  const yaml = await readFile(join(EXAMPLE, 'postgres.yaml'), 'utf8');
  await apply(handle, image === undefined ? yaml : yaml.replaceAll(PUBLIC_POSTGRES, `image: ${image}`));
}

export async function applyHomeserver(handle: ClusterHandle): Promise<void> {
  await apply(handle, await readFile(join(EXAMPLE, 'homeserver.yaml'), 'utf8'));
}

/** The example without rate limits, for traffic; waits until that is what serves. */
export async function applyUnlimited(handle: ClusterHandle): Promise<void> {
  const yaml = await readFile(join(EXAMPLE, 'homeserver.yaml'), 'utf8');
  const unlimited = yaml.replace('{mode: Open}', '{mode: Open}, rateLimits: {enabled: false}');
  if (unlimited === yaml) throw new Error('examples/quickstart/homeserver.yaml opens no registration');
  await apply(handle, unlimited);
  await waitReady(handle, 180_000, () => undefined);
}

const Condition = z.looseObject({ type: z.string(), status: z.string(), reason: z.string(), message: z.string() });
const Homeserver = z.looseObject({
  metadata: z.looseObject({ generation: z.int() }),
  status: z.looseObject({
    observedGeneration: z.int(),
    readyReplicas: z.int().optional(),
    conditions: z.array(Condition),
  }),
});

export type HomeserverView = z.infer<typeof Homeserver>;

export async function getHomeserver(
  handle: ClusterHandle,
  name = NAME,
  namespace = NAMESPACE,
): Promise<HomeserverView> {
  return Homeserver.parse(await apiOf(handle).get(KINDS.homeserver, { namespace, name }));
}

export function condition(view: HomeserverView, type: string): z.infer<typeof Condition> | undefined {
  return view.status.conditions.find((c) => c.type === type);
}

/** Waits until the resource is Ready for its present generation; every change of its state is told. */
export async function waitReady(
  handle: ClusterHandle,
  timeoutMs: number,
  tell: (line: string) => void = say,
): Promise<void> {
  let last = '';
  await waitFor(
    async () => {
      const view = await getHomeserver(handle);
      const ready = condition(view, 'Ready');
      const line = `  Ready=${ready?.status ?? '?'} ${ready?.reason ?? ''}: ${ready?.message ?? ''}`;
      if (line !== last) tell(line);
      last = line;
      return ready?.status === 'True' && view.status.observedGeneration === view.metadata.generation;
    },
    { what: `${NAMESPACE}/${NAME} to be Ready (last: ${last})`, timeoutMs, everyMs: 100 },
  );
}

/** NodePort of the Service that the example's URL goes through, on clusters whose nodes this machine reaches. */
const NODE_PORT_SERVICE = (name: string, port: number | undefined): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}-outside}
spec:
  type: NodePort
  selector: {app.kubernetes.io/name: homeserver, matrix-operator.dev/homeserver: ${name}}
  ports: [{name: http, port: 8008, targetPort: http${port === undefined ? '' : `, nodePort: ${port}`}}]
`;

/** With kind only NodePorts that its node publishes are reached. */
const KIND_NODE_PORT = 30_081;

/** A URL of a homeserver, by default the example's, that this machine reaches as long as the cluster runs. */
export async function exposeOutside(handle: ClusterHandle, name = NAME, namespace = NAMESPACE): Promise<string> {
  const wanted = handle.provider === 'kind' ? KIND_NODE_PORT : undefined;
  await apply(handle, NODE_PORT_SERVICE(name, wanted), namespace);
  const path = 'jsonpath={.spec.ports[0].nodePort}';
  const port = await kubectl(handle, ['get', 'service', `${name}-outside`, '--namespace', namespace, '-o', path]);
  const url = handle.baseUrl(Number(port));
  await waitUntilServed(url);
  return url;
}

/** A Service answers a moment after it is applied: its endpoints and the node's rules follow. */
async function waitUntilServed(url: string): Promise<void> {
  await waitFor(async () => (await fetch(`${url}/_matrix/client/versions`, { signal: AbortSignal.timeout(5000) })).ok, {
    what: `${url} to answer`,
    timeoutMs: 60_000,
    everyMs: 200,
  });
}

/** Runs a statement as the superuser inside the example's pod; gives the rows, columns parted by `|`. */
export async function inPostgres(handle: ClusterHandle, statement: string, database = 'postgres'): Promise<string[]> {
  const psql =
    'PGPASSWORD="$POSTGRES_PASSWORD" exec /usr/lib/postgresql/*/bin/psql -h 127.0.0.1 -U "$POSTGRES_USER" -At -d "$1" -c "$2"';
  const where = ['exec', '--namespace', NAMESPACE, 'statefulset/postgres', '--'];
  const told = await kubectl(handle, [...where, 'sh', '-c', psql, 'psql', database, statement]);
  return told.split('\n').filter((line) => line !== '');
}

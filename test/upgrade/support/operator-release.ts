import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import * as z from 'zod';
import { chooseProvider } from '../../cluster/choose-provider.ts';
import { helm, kubectl } from '../../cluster/clients.ts';
import type { ClusterHandle } from '../../cluster/cluster.ts';
import { OPERATOR_NAMESPACE } from '../../e2e/support/quickstart.ts';
import { sorted } from '../../operator/support/stage.ts';
import { quickly } from './operators.ts';

const CHART = join(import.meta.dirname, '..', '..', '..', 'charts', 'matrix-operator');
const REPOSITORY = 'localhost/matrix-operator';
const WHERE = ['--namespace', OPERATOR_NAMESPACE];
const Manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});

/** Gives an image on the nodes the name that a registry would have it by. */
export async function publish(handle: ClusterHandle, reference: string, version: string): Promise<void> {
  const { provider, contextName: context, instance } = handle;
  const nodes = await chooseProvider({ provider, context, instance });
  await nodes.ctr(['images', 'tag', '--force', reference, `${REPOSITORY}:${version}`]);
}

/** Installs a release by its chart, whose image is the one of its version. */
export async function installRelease(handle: ClusterHandle, chart: string): Promise<void> {
  const values = [`image.repository=${REPOSITORY}`, 'image.pullPolicy=IfNotPresent', 'rbac.tenantClusterWide=true'];
  const set = values.flatMap((value) => ['--set', value]);
  await helm(handle, ['install', 'matrix-operator', chart, ...WHERE, '--create-namespace', ...set]);
  await quickly(handle);
  await kubectl(handle, ['rollout', 'status', 'deployment/matrix-operator', ...WHERE, '--timeout=120s'], {
    timeoutMs: 130_000,
  });
}

/** As docs/upgrading.md says. */
export async function upgradeOperator(handle: ClusterHandle): Promise<void> {
  const how = ['--reset-then-reuse-values', '--wait', '--timeout', '180s'];
  await helm(handle, ['upgrade', 'matrix-operator', CHART, ...WHERE, ...how]);
}

/** As docs/upgrading.md says. */
export async function rollBack(handle: ClusterHandle): Promise<void> {
  await helm(handle, ['rollback', 'matrix-operator', ...WHERE, '--wait', '--timeout', '180s']);
}

/** The objects of the installed chart, `kind namespace/name`, sorted. */
export async function installedObjects(handle: ClusterHandle): Promise<string[]> {
  const yaml = await helm(handle, ['get', 'manifest', 'matrix-operator', ...WHERE]);
  const objects = parseAllDocuments(yaml).flatMap((document) => {
    const object: unknown = document.toJS();
    return object === null ? [] : [Manifest.parse(object)];
  });
  return sorted(objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`));
}

/** Which of these objects are there. */
export async function thoseThere(handle: ClusterHandle, objects: readonly string[]): Promise<string[]> {
  const there: string[] = [];
  for (const object of objects) {
    const [, kind = '', namespace = '', name = ''] = /^(\S+) (.*)\/(.*)$/.exec(object) ?? [];
    const where = namespace === '' ? [] : ['--namespace', namespace];
    const found = await kubectl(handle, ['get', kind, name, ...where, '--ignore-not-found', '-o', 'name']);
    if (found !== '') there.push(object);
  }
  return there;
}
